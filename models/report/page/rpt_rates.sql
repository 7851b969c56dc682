with

alpha_by_cost as (
    select * from {{ ref('alpha_by_cost') }}
),

ranked as (
    select
        category,
        max_truncation,
        n,
        budget_tokens,
        cost_per_call,
        cost_ratio,
        is_cheapest,
        is_current,
        row_number() over (order by n desc, category asc, max_truncation asc) as row_no
    from alpha_by_cost
),

final as (
    select *
    from ranked
    where row_no <= 40
)

select * from final
