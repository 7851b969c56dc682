with

estimates as (
    select * from {{ ref('replayed_estimates') }}
),

-- both sides on the same events, or the comparison says nothing
compared as (
    select *
    from estimates
    where
        is_analysed
        and predicted_output_tokens is not null
        and replayed_output_tokens is not null
),

sides as (
    select
        'recorded' as prediction,
        smape,
        estimate_ratio,
        underestimated,
        cast(0 as bigint) as assumed_new_count
    from compared
    union all
    select
        'replayed' as prediction,
        replayed_smape as smape,
        replayed_estimate_ratio as estimate_ratio,
        replayed_underestimated as underestimated,
        assumed_new_count
    from compared
),

grouped as (
    select
        prediction,
        count(*) as n,
        count(smape) as n_scored,
        count(underestimated) as n_decided,
        count(case when underestimated then 1 end) as n_underestimated,
        avg(smape) as mean_smape,
        median(smape) as median_smape,
        median(estimate_ratio) as p50_estimate_ratio,
        sum(assumed_new_count) as assumed_new_count
    from sides
    group by prediction
),

final as (
    select
        prediction,
        n,
        n_scored,
        n_decided,
        n_underestimated,
        mean_smape,
        median_smape,
        p50_estimate_ratio,
        cast(assumed_new_count as bigint) as assumed_new_count,
        {{ ratio('n_underestimated', 'n_decided') }} as underestimation_rate
    from grouped
)

select * from final
