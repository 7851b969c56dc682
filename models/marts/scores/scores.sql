{% set columns = slice_names().keys() | list %}
{% set followed = columns | reject('in', ['deliverable_bucket', 'outcome']) | list %}

with

stratum_scores as (
    select * from {{ ref('int_stratum_scores') }}
),

week_scores as (
    select * from {{ ref('int_week_scores') }}
),

run_block_scores as (
    select * from {{ ref('int_run_block_scores') }}
),

periods as (
    select * from {{ ref('int_periods') }}
),

measured as (
    select
        period,
        period_no,
        first_seen as period_start,
        scope,
        slice,
        stratum,
        stratum_key,
        {{ columns | join(', ') }},
        cast(null as bigint) as n_runs,
        {{ accuracy_columns() | join(', ') }}
    from stratum_scores
    {% for key, relation in [('week_start', 'week_scores'), ('run_block', 'run_block_scores')] %}
        union all
        select
            periods.period_kind as period,
            periods.period_no,
            coalesce(periods.week_start, scored.first_seen) as period_start,
            'all' as scope,
            scored.slice,
            scored.stratum,
            scored.stratum_key,
            scored.{{ followed | join(', scored.') }},
            cast(null as string) as deliverable_bucket,
            cast(null as string) as outcome,
            scored.n_runs,
            scored.{{ accuracy_columns() | join(', scored.') }}
        from {{ relation }} as scored
        inner join periods
            on scored.{{ key }} = periods.{{ key }}
    {% endfor %}
),

rated as (
    select
        *,
        {{ accuracy_rates() }}
    from measured
),

final as (
    select
        {{ score_key() }} as score_key,
        period,
        cast(period_no as bigint) as period_no,
        period_start,
        scope,
        slice,
        stratum,
        coalesce(category, 'all') as category,
        coalesce(complexity, 'all') as complexity,
        coalesce(model, 'all') as model,
        coalesce(deliverable_bucket, 'all') as deliverable_bucket,
        coalesce(outcome, 'all') as outcome,
        n_runs,
        {{ accuracy_columns() | join(', ') }},
        success_rate,
        success_lower,
        success_upper,
        underestimation_rate,
        underestimation_lower,
        underestimation_upper,
        truncation_rate,
        truncation_lower,
        truncation_upper,
        replayed_underestimation_rate,
        reserved_ratio,
        n_outcome < {{ var('min_samples') }} as is_small_sample,
        {{ tier_1() }} as tier_1,
        {{ is_tier_1_certain() }} as is_tier_1_certain,
        {{ tier_2() }} as tier_2
    from rated
)

select * from final
