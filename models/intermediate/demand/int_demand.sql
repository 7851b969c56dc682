{#- In a host every model here is a table (check_tables). -#}
{{ config(materialized='table' if is_guest() else 'view') }}

{% set in_group = '(partition by ' ~ label_columns() ~ ', model)' %}
{% set reaching_it -%}
    (
        partition by {{ label_columns() }}, model
        order by reaches_tokens desc, ceiling_tokens asc nulls first
        rows between unbounded preceding and current row
    )
{%- endset %}

with

calls as (
    select * from {{ ref('int_call_demand') }}
),

starved_calls as (
    select * from calls
    where is_starved
),

-- most logs have none, and then nothing is counted
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

-- a call that needed half of a ceiling stands before that ceiling
placed as (
    select
        {{ label_columns() }},
        model,
        cast(null as bigint) as ceiling_tokens,
        2 * demand_tokens as reaches_tokens,
        n_starved,
        n_others
    from counted

    union all

    select
        {{ label_columns() }},
        model,
        demand_tokens as ceiling_tokens,
        demand_tokens as reaches_tokens,
        0 as n_starved,
        0 as n_others
    from counted
    where n_starved > 0
),

reached as (
    select
        *,
        sum(n_starved) over {{ reaching_it }} as n_starved_near,
        sum(n_others) over {{ reaching_it }} as n_others_near,
        sum(n_starved) over {{ in_group }} as n_starved_in_all,
        sum(n_others) over {{ in_group }} as n_others_in_all
    from placed
),

-- lengths that thin out leave about as many calls in the doubling below a ceiling as beyond it
runaways as (
    select * from reached
    where
        n_others_near
        <= n_starved_near
        * {{ ratio('n_others_in_all', 'n_others_in_all + n_starved_in_all') }}
        * cast({{ var('reach_share') }} as double)
),

compared as (
    select
        starved_calls.*,
        runaways.ceiling_tokens is not null as is_runaway
    from starved_calls
    left join runaways
        on
            {{ same_labels('starved_calls', 'runaways') }}
            and starved_calls.model is not distinct from runaways.model
            and starved_calls.demand_tokens = runaways.ceiling_tokens

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
