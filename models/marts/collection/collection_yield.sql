{% set splits = {
    'overall': [],
    'run': ['run_id'],
    'category_complexity': ['category', 'complexity'],
    'reason': ['reason'],
} %}

with

attempts as (
    select
        *,
        {{ key_of(['run_id', 'phase_id']) }} as phase_key,
        coalesce(zero_yield_reason, 'sampled') as reason
    from {{ ref('drain_attempts') }}
),

measured as (
    {% for name, split_by in splits.items() %}
        select
            {{ 'run_id' if 'run_id' in split_by else 'cast(null as string)' }} as run_id,
            {{ 'category' if 'category' in split_by else 'cast(null as string)' }} as category,
            {{ 'complexity' if 'complexity' in split_by else 'cast(null as string)' }}
                as complexity,
            {{ 'reason' if 'reason' in split_by else 'cast(null as string)' }} as reason,
            '{{ name }}' as stratification,
            count(*) as attempts,
            count(distinct phase_key) as phases,
            count(distinct case when is_sampled then phase_key end) as phases_sampled,
            count(distinct case when is_success then phase_key end) as phases_succeeded,
            count(case when is_timeout then 1 end) as timeouts,
            sum(events) as events,
            sum(duration_seconds) / 60 as minutes,
            sum(case when not is_timeout then events end) as events_in_time,
            sum(case when not is_timeout then duration_seconds end) / 60 as minutes_in_time,
            count(case when is_escalated then 1 end) as escalations,
            count(case when is_escalated and is_success then 1 end) as escalations_succeeded
        from attempts
        {{ group_by_columns(split_by) }}
        having count(*) > 0
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select
        stratification,
        run_id,
        category,
        complexity,
        reason,
        attempts,
        phases,
        phases_sampled,
        phases_succeeded,
        timeouts,
        minutes,
        escalations,
        escalations_succeeded,
        cast(events as bigint) as events,
        {{ key_of(['stratification', 'run_id', 'category', 'complexity', 'reason']) }} as yield_key,
        cast(phases_sampled as double) / phases as sampled_rate,
        cast(phases_succeeded as double) / phases as success_rate,
        case when minutes_in_time > 0 then events_in_time / minutes_in_time end
            as events_per_minute,
        case when escalations > 0 then cast(escalations_succeeded as double) / escalations end
            as success_after_escalation
    from measured
)

select * from final
