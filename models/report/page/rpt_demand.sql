with

demand as (
    select * from {{ ref('int_demand_bins') }}
),

final as (
    select
        bin_key,
        labels,
        demand_bin,
        low_tokens,
        n_observed,
        n_censored,
        row_number() over (order by labels asc, demand_bin asc) as row_no
    from demand
)

select * from final
