with

scores as (
    select * from {{ ref('scores') }}
),

verdicts as (
    select * from {{ ref('int_verdicts') }}
),

judged as (
    select
        scores.*,
        verdicts.verdict,
        verdicts.direction,
        verdicts.reason,
        case when scores.period = 'recent' then 'recent' else scores.scope end as shown_scope
    from scores
    inner join verdicts
        on scores.score_key = verdicts.score_key
    where
        (scores.slice = 'all' and 'all' in (scores.period, scores.scope))
        or (
            scores.slice = 'category / complexity'
            and scores.period = 'all'
            and scores.scope = 'all'
        )
),

ranked as (
    select
        shown_scope as scope,
        stratum,
        verdict,
        direction,
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
        reason,
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
