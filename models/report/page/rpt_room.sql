with

accuracy_tiers as (
    select * from {{ ref('accuracy_tiers') }}
),

ranked as (
    select
        stratum,
        n,
        reserved_ratio,
        truncation_rate,
        truncation_lower,
        truncation_upper,
        target_truncation,
        row_number() over (order by n desc, stratum asc) as row_no
    from accuracy_tiers
    where
        scope = 'recent'
        and stratification = 'category_complexity'
),

final as (
    select *
    from ranked
    where row_no <= 20
)

select * from final
