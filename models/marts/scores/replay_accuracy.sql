with

counted_replays as (
    select * from {{ ref('int_counted_replays') }}
),

-- both sides on the same events, or the comparison says nothing
compared as (
    select * from counted_replays
    where
        is_analysed
        and predicted_output_tokens is not null
        and replayed_output_tokens is not null
),

sides as (
    select
        'recorded' as prediction,
        n,
        smape,
        estimate_ratio,
        underestimated,
        cast(0 as bigint) as assumed_new_count
    from compared
    union all
    select
        'replayed' as prediction,
        n,
        replayed_smape as smape,
        replayed_estimate_ratio as estimate_ratio,
        replayed_underestimated as underestimated,
        assumed_new_count
    from compared
),

grouped as (
    select
        prediction,
        cast(sum(n) as bigint) as n,
        cast({{ counted_if('smape is not null') }} as bigint) as n_scored,
        cast({{ counted_if('underestimated is not null') }} as bigint) as n_decided,
        cast({{ counted_if('underestimated') }} as bigint) as n_underestimated,
        cast(sum(assumed_new_count) as bigint) as assumed_new_count,
        sum(n * smape) as sum_smape
    from sides
    group by prediction
),

{{ stratum_quantiles(
    events='sides',
    names=['prediction'],
    strata=[{'labels': {}, 'columns': ['prediction']}],
    wanted={
        'median_smape': ('smape', 0.5),
        'p50_estimate_ratio': ('estimate_ratio', 0.5),
    },
) }},

final as (
    select
        grouped.prediction,
        grouped.n,
        grouped.n_scored,
        grouped.n_decided,
        grouped.n_underestimated,
        {{ ratio('grouped.sum_smape', 'grouped.n_scored') }} as mean_smape,
        quantiles.median_smape,
        quantiles.p50_estimate_ratio,
        grouped.assumed_new_count,
        {{ ratio('grouped.n_underestimated', 'grouped.n_decided') }} as underestimation_rate
    from grouped
    left join quantiles
        on grouped.prediction = quantiles.prediction
)

select * from final
