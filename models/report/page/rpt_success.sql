with

accuracy_tiers as (
    select * from {{ ref('accuracy_tiers') }}
),

final as (
    select
        complexity,
        n_outcome,
        n_success,
        success_rate,
        success_lower,
        success_upper,
        is_small_sample,
        row_number() over (order by complexity asc) as row_no
    from accuracy_tiers
    where
        scope = 'all'
        and stratification = 'complexity'
)

select * from final
