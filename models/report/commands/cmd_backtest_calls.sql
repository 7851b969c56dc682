with

demand as (
    select * from {{ ref('int_demand') }}
),

events as (
    select * from {{ ref('int_events') }}
),

final as (
    select
        demand.call_id,
        demand.occurred_at,
        demand.category,
        demand.complexity,
        events.labels,
        demand.model,
        demand.input_tokens,
        events.deliverables,
        events.predicted_output_tokens,
        demand.demand_tokens,
        demand.demand_state = 'observed' as is_observed,
        row_number() over (order by demand.occurred_at asc, demand.call_id asc) as row_no
    from demand
    inner join events
        on demand.event_id = events.event_id
    where demand.demand_state <> 'excluded'
)

select * from final
