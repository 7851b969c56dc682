-- No event is lost or invented between landing and scoring.
with

accounting as (
    select coalesce(sum(accepted), 0) as event_count
    from {{ ref('line_accounting') }}
),

estimates as (
    select count(*) as event_count
    from {{ ref('estimates') }}
),

quarantine as (
    select count(*) as line_count
    from {{ ref('rejected_lines') }}
),

quarantined as (
    select coalesce(sum(quarantined), 0) as line_count
    from {{ ref('line_accounting') }}
)

select
    accounting.event_count as accepted_lines,
    estimates.event_count as scored_events,
    quarantine.line_count as rejected_lines,
    quarantined.line_count as quarantined_lines
from accounting
cross join estimates
cross join quarantine
cross join quarantined
where
    accounting.event_count <> estimates.event_count
    or quarantine.line_count <> quarantined.line_count
