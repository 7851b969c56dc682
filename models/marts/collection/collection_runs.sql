{{ config(enabled=is_read('tokenest')) }}

{% set names = ['run_id', 'category', 'complexity', 'reason', 'blocker'] %}

with

attempts as (
    select
        *,
        coalesce(category, 'unknown') as known_category,
        coalesce(complexity, 'unknown') as known_complexity,
        {{ key_of(['run_id', 'phase_id']) }} as phase_key,
        coalesce(zero_yield_reason, 'sampled') as reason,
        case when is_sampled then 'sampled' else coalesce(failure_pattern, zero_yield_reason) end
            as blocker
    from {{ ref('int_attempts') }}
),

events as (
    select * from {{ ref('int_events') }}
),

reasons as (
    select * from {{ ref('zero_yield_reasons') }}
),

measured as (
    select
        run_id,
        known_category as category,
        known_complexity as complexity,
        reason,
        blocker,
        count(*) as attempts,
        count(distinct session_id) as sessions,
        count(distinct phase_key) as phases,
        count(distinct case when is_sampled then phase_key end) as phases_sampled,
        count(distinct case when is_success then phase_key end) as phases_succeeded,
        count(distinct fingerprint) as fingerprints,
        count(case when is_timeout then 1 end) as timeouts,
        sum(events) as events,
        sum(duration_seconds) / 60 as minutes,
        sum(case when not is_timeout then events end) as events_in_time,
        sum(case when not is_timeout then duration_seconds end) / 60 as minutes_in_time,
        count(case when is_escalated then 1 end) as escalations,
        count(case when is_escalated and is_success then 1 end) as escalations_succeeded,
        {{ value_of_largest('run_verdict', 'occurred_at') }} as newest_verdict,
        {{ value_of_largest('fingerprint', 'fingerprint_repeats') }} as most_repeated_fingerprint,
        coalesce(max(fingerprint_repeats), 0) as most_repeats,
        {{ value_of_largest(
            'coalesce(failure_pattern, zero_yield_reason)', 'occurred_at'
        ) }} as last_blocker,
        min(occurred_at) as first_seen,
        max(occurred_at) as last_seen
    from attempts
    -- grouping sets are unknown to sqlfluff
    group by grouping sets (  -- noqa: PRS
        (),
        (run_id),
        (known_category, known_complexity),
        (reason),
        (run_id, reason, blocker)
    )
    having count(*) > 0
),

named as (
    select
        *,
        case
            when blocker is not null then 'run / reason / blocker'
            when reason is not null then 'reason'
            when category is not null then 'category / complexity'
            when run_id is not null then 'run'
            else 'all'
        end as slice,
        sum(attempts) over (partition by run_id, blocker is not null) as attempts_beside
    from measured
),

keyed as (
    select
        *,
        {{ key_of(['slice'] + names) }} as yield_key
    from named
),

landed as (
    select
        run_id,
        count(*) as landed_events
    from events
    group by run_id
),

final as (
    select
        keyed.yield_key,
        keyed.slice,
        coalesce(keyed.run_id, 'all') as run_id,
        coalesce(keyed.category, 'all') as category,
        coalesce(keyed.complexity, 'all') as complexity,
        coalesce(keyed.reason, 'all') as reason,
        coalesce(keyed.blocker, 'all') as blocker,
        keyed.attempts,
        keyed.sessions,
        keyed.phases,
        keyed.phases_sampled,
        keyed.phases_succeeded,
        keyed.fingerprints,
        keyed.timeouts,
        cast(keyed.events as bigint) as events,
        keyed.minutes,
        {{ ratio('keyed.phases_sampled', 'keyed.phases') }} as sampled_rate,
        {{ ratio('keyed.phases_succeeded', 'keyed.phases') }} as success_rate,
        {{ ratio('keyed.events_in_time', 'keyed.minutes_in_time') }} as events_per_minute,
        keyed.escalations,
        keyed.escalations_succeeded,
        {{ ratio('keyed.escalations_succeeded', 'keyed.escalations') }} as success_after_escalation,
        keyed.most_repeated_fingerprint,
        keyed.most_repeats,
        keyed.last_blocker,
        keyed.first_seen,
        keyed.last_seen,
        case when keyed.slice = 'run' then keyed.newest_verdict end as run_verdict,
        case when keyed.slice = 'run' then coalesce(landed.landed_events, 0) end as landed_events,
        case
            when keyed.blocker is not null
                then {{ ratio('keyed.attempts', 'keyed.attempts_beside') }}
        end as attempt_share,
        reasons.description,
        reasons.action
    from keyed
    left join landed
        on keyed.run_id = landed.run_id
    left join reasons
        on keyed.reason = reasons.name
)

select * from final
