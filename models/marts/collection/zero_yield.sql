with

attempts as (
    select * from {{ ref('drain_attempts') }}
),

reasons as (
    select * from {{ ref('zero_yield_reasons') }}
),

runs as (
    select
        run_id,
        count(*) as attempts
    from attempts
    group by run_id
),

empty_attempts as (
    select
        *,
        coalesce(failure_pattern, 'unrecognised') as blocker
    from attempts
    where not is_sampled
),

grouped as (
    select
        run_id,
        zero_yield_reason,
        blocker,
        count(*) as attempts,
        count(distinct phase_id) as phases,
        count(distinct fingerprint) as fingerprints,
        sum(duration_seconds) / 60 as minutes,
        min(occurred_at) as first_seen,
        max(occurred_at) as last_seen
    from empty_attempts
    group by run_id, zero_yield_reason, blocker
),

final as (
    select
        concat_ws('|', grouped.run_id, grouped.zero_yield_reason, grouped.blocker)
            as zero_yield_key,
        grouped.run_id,
        grouped.zero_yield_reason,
        grouped.blocker,
        grouped.attempts,
        cast(grouped.attempts as double) / runs.attempts as attempt_share,
        grouped.phases,
        grouped.fingerprints,
        grouped.minutes,
        grouped.first_seen,
        grouped.last_seen,
        reasons.description,
        reasons.action
    from grouped
    inner join runs
        on grouped.run_id = runs.run_id
    left join reasons
        on grouped.zero_yield_reason = reasons.name
)

select * from final
