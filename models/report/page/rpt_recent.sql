with

scores as (
    select * from {{ ref('scores') }}
),

final as (
    select
        period_start as first_seen,
        n_stop_known,
        n_truncated,
        truncation_rate,
        truncation_lower,
        truncation_upper,
        cast({{ var('target_truncation') }} as double) as target_truncation,
        underestimation_rate,
        cast({{ var('target_underestimation') }} as double) as target_underestimation,
        tokens_used,
        tokens_reserved,
        reserved_ratio,
        p50_ceiling_ratio,
        p90_ceiling_ratio,
        cast({{ var('target_p90_ceiling_ratio') }} as double) as target_p90_ceiling_ratio,
        row_number() over (order by score_key asc) as row_no
    from scores
    where
        slice = 'all'
        and period = 'recent'
        and scope = 'all'
)

select * from final
