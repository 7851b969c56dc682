with

rate_costs as (
    select * from {{ ref('int_rate_costs') }}
),

ranked as (
    select
        top_label as category,
        max_truncation,
        n,
        budget_tokens,
        cost_per_call,
        cost_ratio,
        is_cheapest,
        is_current,
        row_number() over (order by n desc, top_label asc, max_truncation asc) as row_no
    from rate_costs
),

final as (
    select *
    from ranked
    where row_no <= 40
)

select * from final
