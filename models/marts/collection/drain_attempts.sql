with

attempts as (
    select * from {{ ref('stg_telemetry__attempts') }}
),

ordered as (
    select
        *,
        lag(selected_budget) over (
            partition by run_id, phase_id
            order by attempt asc, occurred_at asc
        ) as previous_budget,
        count(fingerprint) over (partition by run_id, fingerprint) as fingerprint_repeats
    from attempts
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
        coalesce(selected_budget > previous_budget, false) as is_escalated,
        is_success,
        is_timeout,
        is_truncated,
        exit_code,
        duration_seconds,
        events,
        events > 0 as is_sampled,
        case when duration_seconds > 0 then events * 60 / duration_seconds end
            as events_per_minute,
        zero_yield_reason,
        failure_pattern,
        fingerprint,
        case when fingerprint is not null then fingerprint_repeats end as fingerprint_repeats,
        run_verdict
    from ordered
)

select * from final
