-- What accuracy and the replay are measured on is all estimates, each once.
with

estimates as (
    select count(*) as estimate_count
    from {{ ref('calls') }}
),

counted_estimates as (
    select coalesce(sum(n), 0) as estimate_count
    from {{ ref('int_counted_calls') }}
),

counted_replays as (
    select coalesce(sum(n), 0) as estimate_count
    from {{ ref('int_counted_replays') }}
)

select
    estimates.estimate_count,
    counted_estimates.estimate_count as counted_estimates,
    counted_replays.estimate_count as counted_replays
from estimates
cross join counted_estimates
cross join counted_replays
where
    estimates.estimate_count <> counted_estimates.estimate_count
    or estimates.estimate_count <> counted_replays.estimate_count
