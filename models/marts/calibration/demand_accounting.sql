with

demand as (
    select * from {{ ref('int_demand') }}
),

grouped as (
    select
        demand_state,
        excluded_reason,
        coalesce(category, 'unknown') as category,
        count(*) as n_calls,
        sum(n_attempts) as n_events
    from demand
    group by coalesce(category, 'unknown'), demand_state, excluded_reason
),

final as (
    select
        {{ key_of(['category', 'demand_state', 'excluded_reason']) }} as accounting_key,
        category,
        demand_state,
        excluded_reason,
        cast(n_calls as bigint) as n_calls,
        cast(n_events as bigint) as n_events,
        {{ ratio('n_calls', 'sum(n_calls) over (partition by category)') }} as call_share
    from grouped
)

select * from final
