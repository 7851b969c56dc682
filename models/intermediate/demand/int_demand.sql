{{ config(materialized='table' if is_guest() else 'view') }}

with

calls as (
    select * from {{ ref('int_call_demand') }}
),

starved_calls as (
    select * from calls
    where is_starved
),

groups_with_starved as (
    select distinct
        {{ label_columns() }},
        model
    from starved_calls
),

counted as (
    select
        {{ label_columns('calls.') }},
        calls.model,
        calls.demand_tokens,
        {{ log2_of('calls.demand_tokens') }} as doublings,
        sum(case when calls.is_starved then 1 else 0 end) as n_starved,
        sum(case when calls.is_starved then 0 else 1 end) as n_others
    from calls
    inner join groups_with_starved
        on
            {{ same_labels('calls', 'groups_with_starved') }}
            and calls.model is not distinct from groups_with_starved.model
    where
        calls.demand_state <> 'excluded'
        and {{ is_until_as_of('calls.occurred_at') }}
    group by {{ label_columns('calls.') }}, calls.model, calls.demand_tokens
),

-- of each ceiling: how many were starved there or above, and how many others needed half of it
reached as (
    select
        *,
        sum(n_starved) over (
            partition by {{ label_columns() }}, model
            order by doublings desc
            range between unbounded preceding and current row
        ) as n_starved_from,
        sum(n_others) over (
            partition by {{ label_columns() }}, model
            order by doublings desc
            range between unbounded preceding and 1.000001 following
        ) as n_others_near
    from counted
),

runaways as (
    select * from reached
    where
        n_starved > 0
        and n_others_near < n_starved_from * cast({{ var('reach_share') }} as double)
),

compared as (
    select
        starved_calls.*,
        runaways.n_starved is not null as is_runaway
    from starved_calls
    left join runaways
        on
            {{ same_labels('starved_calls', 'runaways') }}
            and starved_calls.model is not distinct from runaways.model
            and starved_calls.demand_tokens = runaways.demand_tokens

    union all

    select
        *,
        false as is_runaway
    from calls
    where not is_starved
),

final as (
    select
        call_id,
        event_id,
        occurred_at,
        run_id,
        phase_id,
        {{ label_columns() }},
        model,
        input_tokens,
        input_bin,
        is_control,
        is_first_truncated,
        is_first_under_quantile,
        first_coefficients_id,
        first_max_truncation,
        n_attempts,
        case when is_runaway then 'excluded' else demand_state end as demand_state,
        case when is_runaway then 'starved' else excluded_reason end as excluded_reason,
        actual_output_tokens,
        case when not is_runaway then demand_tokens end as demand_tokens
    from compared
)

select * from final
