-- No call disappears: every event is an attempt of exactly one call, and the observed, the
-- censored and the excluded calls are all of them.
with

events as (
    select count(*) as event_count
    from {{ ref('int_events') }}
),

calls as (
    select
        count(*) as call_count,
        coalesce(sum(n_attempts), 0) as attempt_count,
        count(case when demand_state = 'observed' and demand_tokens > 0 then 1 end) as observed,
        count(case when demand_state = 'censored' and demand_tokens > 0 then 1 end) as censored,
        count(case when demand_state = 'excluded' and excluded_reason is not null then 1 end)
            as excluded
    from {{ ref('int_demand') }}
)

select
    events.event_count,
    calls.call_count,
    calls.attempt_count,
    calls.observed,
    calls.censored,
    calls.excluded
from events
cross join calls
where
    events.event_count <> calls.attempt_count
    or calls.call_count <> calls.observed + calls.censored + calls.excluded
