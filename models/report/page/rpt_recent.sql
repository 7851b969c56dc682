with

scores as (
    select * from {{ ref('scores') }}
),

verdicts as (
    select * from {{ ref('int_verdicts') }}
),

final as (
    select
        verdicts.verdict,
        verdicts.direction,
        verdicts.reason,
        scores.tier_1,
        scores.n_stop_known,
        scores.n_truncated,
        scores.truncation_rate,
        scores.truncation_lower,
        scores.truncation_upper,
        cast({{ var('target_truncation') }} as double) as target_truncation,
        scores.underestimation_rate,
        cast({{ var('target_underestimation') }} as double) as target_underestimation,
        scores.tokens_used,
        scores.tokens_reserved,
        scores.reserved_ratio,
        scores.p50_ceiling_ratio,
        scores.p90_ceiling_ratio,
        cast({{ var('target_p90_ceiling_ratio') }} as double) as target_p90_ceiling_ratio,
        row_number() over (order by scores.score_key asc) as row_no
    from scores
    inner join verdicts
        on scores.score_key = verdicts.score_key
    where
        scores.slice = 'all'
        and scores.period = 'recent'
        and scores.scope = 'all'
)

select * from final
