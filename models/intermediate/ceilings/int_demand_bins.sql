with

history as (
    select
        *,
        {{ group_level() }} as cell_level
    from {{ ref('int_demand_history') }}
),

placed as (
    select
        demand_tokens,
        is_observed,
        {{ group_columns() }}
    from history
),

named as (
    select
        {{ label_object(most=label_level()) }} as labels,
        is_observed,
        {{ size_class('greatest(demand_tokens, 1)', 2) }} as demand_bin
    from placed
),

final as (
    select
        {{ key_of(['labels', 'demand_bin']) }} as bin_key,
        labels,
        demand_bin,
        {{ least_of_class('demand_bin', 2) }} as low_tokens,
        count(case when is_observed then 1 end) as n_observed,
        count(case when not is_observed then 1 end) as n_censored
    from named
    group by labels, demand_bin
)

select * from final
