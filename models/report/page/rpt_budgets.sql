with

budget_quantiles as (
    select * from {{ ref('budget_quantiles') }}
),

named as (
    select
        cell_level,
        max_truncation,
        n,
        n_censored,
        budget_tokens,
        is_identified,
        is_exported,
        coalesce(category, 'all') as category,
        coalesce(complexity, 'all') as complexity
    from budget_quantiles
    where cell_level in (0, 2)
),

ranked as (
    select
        category,
        complexity,
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
                category asc,
                complexity asc,
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
