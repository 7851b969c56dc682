with

-- both sides on the same calls, or the comparison says nothing
scores as (
    select * from {{ ref('scores') }}
    where
        slice = 'all'
        and period = 'all'
        and scope = 'comparable'
),

sides as (
    {% for prediction, prefix in [('recorded', ''), ('replayed', 'replayed_')] %}
        select
            '{{ prediction }}' as prediction,
            n,
            n_scored,
            {{ 'n_replayed_decided' if prefix else 'n_decided' }} as n_decided,
            {{ prefix }}mean_smape as mean_smape,
            {{ prefix }}median_smape as median_smape,
            {{ prefix }}p50_estimate_ratio as p50_estimate_ratio,
            {{ prefix }}underestimation_rate as underestimation_rate,
            {{ 'assumed_new_count' if prefix else 'cast(0 as bigint)' }} as assumed_new_count
        from scores
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select
        *,
        row_number() over (order by prediction asc) as row_no
    from sides
)

select * from final
