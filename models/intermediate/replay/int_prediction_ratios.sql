with

-- the origin kept what succeeded and was not cut off, and nothing else decided
finished as (
    select * from {{ ref('int_counted_replays') }}
    where {{ is_finished() }}
),

ratios as (
    {% for is_replay, version, prediction in [
        ('false', 'estimator_version', 'predicted_output_tokens'),
        ('true', "'replayed'", 'replayed_output_tokens'),
    ] %}
        select
            {{ is_replay }} as is_replay,
            {{ version }} as estimator_version,
            category,
            complexity,
            {{ t5_ratio('actual_output_tokens', prediction) }} as actual_ratio,
            n as n_finished,
            case when is_clean and {{ prediction }} > 0 then n else 0 end as n_clean
        from finished
        where {{ prediction }} is not null
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- equal ratios in one row: far fewer than events, and all that a quantile needs
final as (
    select
        is_replay,
        estimator_version,
        category,
        complexity,
        actual_ratio,
        cast(sum(n_finished) as bigint) as n_finished,
        cast(sum(n_clean) as bigint) as n_clean
    from ratios
    group by is_replay, estimator_version, category, complexity, actual_ratio
)

select * from final
