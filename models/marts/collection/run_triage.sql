with

attempts as (
    select * from {{ ref('drain_attempts') }}
),

events as (
    select * from {{ ref('int_events') }}
),

runs as (
    select
        run_id,
        {{ value_of_largest('run_verdict', 'occurred_at') }} as verdict,
        count(*) as attempts,
        count(distinct session_id) as sessions,
        count(distinct phase_id) as phases_attempted,
        count(distinct case when is_sampled then phase_id end) as phases_sampled,
        count(distinct case when is_success then phase_id end) as phases_succeeded,
        count(case when is_timeout then 1 end) as timeouts,
        sum(events) as events,
        {{ value_of_largest('fingerprint', 'fingerprint_repeats') }}
            as most_repeated_fingerprint,
        coalesce(max(fingerprint_repeats), 0) as most_repeats,
        {{ value_of_largest(
            'coalesce(failure_pattern, zero_yield_reason)', 'occurred_at'
        ) }} as last_blocker,
        min(occurred_at) as first_attempt_at,
        max(occurred_at) as last_attempt_at
    from attempts
    group by run_id
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
        runs.run_id,
        runs.verdict,
        runs.attempts,
        runs.sessions,
        runs.phases_attempted,
        runs.phases_sampled,
        runs.phases_succeeded,
        runs.timeouts,
        runs.most_repeated_fingerprint,
        runs.most_repeats,
        runs.last_blocker,
        runs.first_attempt_at,
        runs.last_attempt_at,
        cast(runs.events as bigint) as events,
        coalesce(landed.landed_events, 0) as landed_events
    from runs
    left join landed
        on runs.run_id = landed.run_id
)

select * from final
