{{ config(enabled=is_read('tokenest')) }}

with

attempts as (
    select * from {{ ref('stg_tokenest__attempts') }}
),

ordered as (
    select
        *,
        lag(selected_budget) over (
            partition by run_id, phase_id
            order by attempt asc, occurred_at asc
        ) as previous_budget,
        count(fingerprint) over (partition by run_id, fingerprint) as equal_failures
    from attempts
),

measured as (
    select
        *,
        events > 0 as is_sampled,
        coalesce(selected_budget > previous_budget, false) as is_escalated,
        case when duration_seconds > 0 then events * 60 / duration_seconds end
            as events_per_minute,
        case when fingerprint is not null then equal_failures end as fingerprint_repeats
    from ordered
),

final as (
    select
        attempt_id,
        occurred_at,
        run_id,
        phase_id,
        attempt,
        session_id,
        category,
        complexity,
        deliverable_count,
        selected_budget,
        is_escalated,
        is_success,
        is_timeout,
        is_truncated,
        exit_code,
        duration_seconds,
        events,
        is_sampled,
        events_per_minute,
        zero_yield_reason,
        failure_pattern,
        fingerprint,
        fingerprint_repeats,
        run_verdict
    from measured
)

select * from final
