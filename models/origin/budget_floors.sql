with

events as (
    select * from {{ ref('int_events') }}
),

base_budgets as (
    select * from {{ ref('base_budgets') }}
),

-- a budget of ours names its source; the origin selected one by its floors
selected as (
    select
        selected_budget,
        coalesce(category, 'unknown') as category,
        coalesce(complexity, 'unknown') as complexity
    from events
    where selected_budget is not null and budget_source is null
),

floored as (
    select
        selected.*,
        cast(coalesce(of_cell.value, of_complexity.value, of_all.value) as bigint) as floor_tokens
    from selected
    left join base_budgets as of_cell
        on
            selected.category = of_cell.category
            and selected.complexity = of_cell.complexity
    left join base_budgets as of_complexity
        on
            of_complexity.category is null
            and selected.complexity = of_complexity.complexity
    left join base_budgets as of_all
        on
            of_all.category is null
            and of_all.complexity is null
),

counted as (
    select
        category,
        complexity,
        floor_tokens,
        count(*) as n,
        count(case when selected_budget < floor_tokens then 1 end) as n_below,
        count(case when selected_budget = floor_tokens then 1 end) as n_at_floor,
        min(selected_budget) as least_selected_budget,
        max(selected_budget) as most_selected_budget
    from floored
    group by category, complexity, floor_tokens
),

final as (
    select
        {{ key_of(['category', 'complexity']) }} as floor_key,
        category,
        complexity,
        floor_tokens,
        n,
        n_below,
        n_at_floor,
        cast(least_selected_budget as bigint) as least_selected_budget,
        cast(most_selected_budget as bigint) as most_selected_budget,
        case
            when n_below > 0 then 'below'
            when n_at_floor > 0 then 'at the floor'
            else 'above'
        end as verdict
    from counted
)

select * from final
