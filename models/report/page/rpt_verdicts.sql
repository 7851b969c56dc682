with

scores as (
    select * from {{ ref('scores') }}
),

judged as (
    select
        *,
        case when period = 'recent' then 'recent' else scope end as shown_scope
    from scores
    where
        (slice = 'all' and period in ('all', 'recent') and 'all' in (period, scope))
        or (slice = 'category / complexity' and period = 'all' and scope = 'all')
),

ranked as (
    select
        shown_scope as scope,
        stratum,
        tier_1,
        tier_2,
        n,
        n_success,
        underestimation_rate,
        truncation_rate,
        truncation_lower,
        truncation_upper,
        cast({{ var('target_truncation') }} as double) as target_truncation,
        p50_estimate_ratio,
        p90_estimate_ratio,
        p90_ceiling_ratio,
        median_smape,
        row_number() over (
            order by
                slice = 'all' desc,
                shown_scope asc,
                n desc,
                stratum asc
        ) as row_no
    from judged
),

final as (
    select *
    from ranked
    where row_no <= 60
)

select * from final
