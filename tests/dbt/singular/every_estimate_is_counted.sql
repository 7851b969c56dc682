-- What accuracy is measured on is all estimates, each once.
with

estimates as (
    select
        count(*) as estimate_count,
        coalesce(sum(actual_output_tokens), 0) as token_count
    from {{ ref('estimates') }}
),

counted as (
    select
        coalesce(sum(n), 0) as estimate_count,
        coalesce(sum(n * actual_output_tokens), 0) as token_count
    from {{ ref('int_counted_estimates') }}
)

select
    estimates.estimate_count,
    estimates.token_count,
    counted.estimate_count as counted_estimates,
    counted.token_count as counted_tokens
from estimates
cross join counted
where
    estimates.estimate_count <> counted.estimate_count
    or estimates.token_count <> counted.token_count
