{% set splits = {
    'overall': [],
    'run': ['run_id'],
    'category_complexity': ['category', 'complexity'],
    'reason': ['zero_yield_reason'],
} %}

with

attempts as (
    select
        *,
        concat_ws('|', run_id, phase_id) as phase_key
    from {{ ref('drain_attempts') }}
),

measured as (
    {% for name, split_by in splits.items() %}
        select
            '{{ name }}' as stratification,
            {%- for column in ['run_id', 'category', 'complexity', 'zero_yield_reason'] %}
            {{ column if column in split_by else 'cast(null as string)' }} as {{ column }},
            {%- endfor %}
            count(*) as attempts,
            count(distinct phase_key) as phases,
            count(distinct case when is_sampled then phase_key end) as phases_sampled,
            count(distinct case when is_success then phase_key end) as phases_succeeded,
            count(case when is_timeout then 1 end) as timeouts,
            coalesce(sum(events), 0) as events,
            coalesce(sum(duration_seconds), 0) / 60 as minutes,
            sum(case when not is_timeout then events end) as events_in_time,
            sum(case when not is_timeout then duration_seconds end) / 60 as minutes_in_time,
            count(case when is_escalated then 1 end) as escalations,
            count(case when is_escalated and is_success then 1 end) as escalations_succeeded
        from attempts
        {{ group_by_columns(split_by) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select
        concat_ws(
            '|',
            stratification,
            coalesce(run_id, ''),
            coalesce(category, ''),
            coalesce(complexity, ''),
            coalesce(zero_yield_reason, '')
        ) as yield_key,
        stratification,
        run_id,
        category,
        complexity,
        case when stratification = 'reason' then coalesce(zero_yield_reason, 'sampled') end
            as reason,
        attempts,
        phases,
        phases_sampled,
        cast(phases_sampled as double) / phases as sampled_rate,
        phases_succeeded,
        cast(phases_succeeded as double) / phases as success_rate,
        timeouts,
        cast(events as bigint) as events,
        minutes,
        case when minutes_in_time > 0 then events_in_time / minutes_in_time end
            as events_per_minute,
        escalations,
        escalations_succeeded,
        case
            when escalations > 0 then cast(escalations_succeeded as double) / escalations
        end as success_after_escalation
    from measured
    where attempts > 0
)

select * from final
