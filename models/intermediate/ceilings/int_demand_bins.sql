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
        cast(floor(2 * log2(cast(greatest(demand_tokens, 1) as double))) as bigint) as demand_bin
    from placed
),

final as (
    select
        {{ key_of(['labels', 'demand_bin']) }} as bin_key,
        labels,
        demand_bin,
        power(cast(2 as double), demand_bin / cast(2 as double)) as low_tokens,
        count(case when is_observed then 1 end) as n_observed,
        count(case when not is_observed then 1 end) as n_censored
    from named
    group by labels, demand_bin
)

select * from final
