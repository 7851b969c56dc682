-- No event or attempt is lost or invented between landing and the marts.
with

accounting as (
    select coalesce(sum(records), 0) as record_count
    from {{ ref('files') }}
),

estimates as (
    select count(*) as event_count
    from {{ ref('calls') }}
),

attempts as (
    select count(*) as attempt_count
    from {{ ref('int_attempts') }}
),

quarantine as (
    select count(distinct source_file || ' ' || cast(line_no as string)) as line_count
    from {{ ref('rejected_lines') }}
),

quarantined as (
    select coalesce(sum(quarantined), 0) as line_count
    from {{ ref('files') }}
)

select
    accounting.record_count as accepted_records,
    estimates.event_count as scored_events,
    attempts.attempt_count as drain_attempts,
    quarantine.line_count as rejected_lines,
    quarantined.line_count as quarantined_lines
from accounting
cross join estimates
cross join attempts
cross join quarantine
cross join quarantined
where
    accounting.record_count <> estimates.event_count + attempts.attempt_count
    or quarantine.line_count <> quarantined.line_count
