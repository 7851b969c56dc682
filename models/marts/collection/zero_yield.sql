with

attempts as (
    select * from {{ ref('drain_attempts') }}
),

reasons as (
    select * from {{ ref('zero_yield_reasons') }}
),

labelled as (
    select
        *,
        coalesce(failure_pattern, zero_yield_reason) as blocker,
        count(*) over (partition by run_id) as run_attempts
    from attempts
),

grouped as (
    select
        run_id,
        zero_yield_reason,
        blocker,
        count(*) as attempts,
        cast(count(*) as double) / max(run_attempts) as attempt_share,
        count(distinct phase_id) as phases,
        count(distinct fingerprint) as fingerprints,
        sum(duration_seconds) / 60 as minutes,
        min(occurred_at) as first_seen,
        max(occurred_at) as last_seen
    from labelled
    where not is_sampled
    group by run_id, zero_yield_reason, blocker
),

final as (
    select
        grouped.run_id,
        grouped.zero_yield_reason,
        grouped.blocker,
        grouped.attempts,
        grouped.attempt_share,
        grouped.phases,
        grouped.fingerprints,
        grouped.minutes,
        grouped.first_seen,
        grouped.last_seen,
        reasons.description,
        reasons.action,
        {{ key_of(['grouped.run_id', 'grouped.zero_yield_reason', 'grouped.blocker']) }}
            as zero_yield_key
    from grouped
    left join reasons
        on grouped.zero_yield_reason = reasons.name
)

select * from final
