with

budget_quantiles as (
    select * from {{ ref('budget_quantiles') }}
),

named as (
    select
        cell_level,
        labels,
        max_truncation,
        n,
        n_censored,
        budget_tokens,
        is_identified,
        is_exported,
        coalesce(category, 'all') as category,
        coalesce(complexity, 'all') as complexity
    from budget_quantiles
    where cell_level = 0 or is_label_level
),

ranked as (
    select
        category,
        complexity,
        labels,
        max_truncation,
        n,
        n_censored,
        budget_tokens,
        is_identified,
        is_exported,
        row_number() over (
            order by
                cell_level asc,
                n desc,
                labels asc,
                max_truncation asc
        ) as row_no
    from named
),

final as (
    select *
    from ranked
    where row_no <= 80
)

select * from final
