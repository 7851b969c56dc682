with

accuracy_tiers as (
    select * from {{ ref('accuracy_tiers') }}
),

final as (
    select
        verdict,
        direction,
        reason,
        tier_1,
        n_stop_known,
        n_truncated,
        truncation_rate,
        truncation_lower,
        truncation_upper,
        target_truncation,
        underestimation_rate,
        target_underestimation,
        tokens_used,
        tokens_reserved,
        reserved_ratio,
        p50_ceiling_ratio,
        p90_ceiling_ratio,
        target_p90_ceiling_ratio,
        row_number() over (order by stratum_key asc) as row_no
    from accuracy_tiers
    where
        stratification = 'overall'
        and scope = 'recent'
)

select * from final
