with

accuracy_tiers as (
    select * from {{ ref('accuracy_tiers') }}
),

ranked as (
    select
        scope,
        stratum,
        verdict,
        direction,
        n,
        n_success,
        underestimation_rate,
        truncation_rate,
        truncation_lower,
        truncation_upper,
        target_truncation,
        p50_estimate_ratio,
        p90_estimate_ratio,
        p90_ceiling_ratio,
        median_smape,
        reason,
        row_number() over (
            order by
                stratification = 'overall' desc,
                scope asc,
                n desc,
                stratum asc
        ) as row_no
    from accuracy_tiers
    where stratification = 'overall' or (scope = 'all' and stratification = 'category_complexity')
),

final as (
    select *
    from ranked
    where row_no <= 60
)

select * from final
