with

files as (
    select * from {{ ref('files') }}
),

estimates as (
    select * from {{ ref('calls') }}
),

collection_runs as (
    select * from {{ ref('collection_runs') }}
),

coefficients as (
    select * from {{ ref('coefficients') }}
),

landed_lines as (
    select
        cast(coalesce(sum(lines), 0) as bigint) as lines,
        cast(coalesce(sum(accepted), 0) as bigint) as accepted,
        cast(coalesce(sum(duplicate), 0) as bigint) as duplicate,
        cast(coalesce(sum(quarantined), 0) as bigint) as quarantined,
        cast(coalesce(sum(blank), 0) as bigint) as blank,
        cast(coalesce(sum(other), 0) as bigint) as other,
        count(*) as files,
        count(case when not is_present then 1 end) as gone
    from files
),

landed_events as (
    select
        count(*) as events,
        count(case when not {{ is_analysed() }} then 1 end) as events_left_out,
        count(case when deliverable_count > 0 then 1 end) as with_deliverables,
        min(occurred_at) as first_seen,
        max(occurred_at) as last_seen
    from estimates
),

landed_attempts as (
    select coalesce(max(attempts), 0) as attempts
    from collection_runs
    where slice = 'all'
),

exported as (
    select
        count(case when kind = 'multiplier' then 1 end) as multipliers,
        count(case when kind = 'budget' then 1 end) as budgets
    from coefficients
),

final as (
    select
        landed_lines.*,
        landed_events.*,
        landed_attempts.attempts,
        exported.multipliers,
        exported.budgets,
        cast(1 as bigint) as row_no
    from landed_lines
    cross join landed_events
    cross join landed_attempts
    cross join exported
)

select * from final
