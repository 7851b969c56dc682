with

estimates as (
    select * from {{ ref('estimates') }}
),

events as (
    select
        *,
        coalesce(category, 'unknown') as category_key,
        coalesce(complexity, 'unknown') as complexity_key,
        case
            when is_success then 'success'
            when not is_success then 'failure'
            else 'unknown'
        end as outcome_key
    from estimates
    where not is_synthetic
),

-- one pass: each event counts in seven strata
grouped as (
    select
        grouping(category_key) as is_any_category,
        grouping(complexity_key) as is_any_complexity,
        grouping(deliverable_bucket) as is_any_bucket,
        grouping(outcome_key) as is_any_outcome,
        category_key,
        complexity_key,
        deliverable_bucket,
        outcome_key,
        count(*) as n,
        count(case when is_clean then 1 end) as n_clean,
        count(smape) as n_scored,
        count(case when is_truncated then 1 end) as n_truncated,
        count(case when underestimated is null then 1 end) as n_undecided,
        avg(smape) as mean_smape,
        {{ quantiles('smape', [0.5, 0.9]) }} as smape_quantiles,
        {{ quantiles('estimate_ratio', [0.5, 0.75, 0.9]) }} as estimate_ratio_quantiles,
        {{ quantiles('ceiling_ratio', [0.5, 0.75, 0.9]) }} as ceiling_ratio_quantiles,
        avg(case when underestimated then 1 when not underestimated then 0 end)
            as underestimation_rate,
        avg(case when is_truncated then 1 when not is_truncated then 0 end) as truncation_rate,
        avg(case when is_success then 1 when not is_success then 0 end) as success_rate
    from events
    group by grouping sets (
        (),
        (category_key),
        (complexity_key),
        (deliverable_bucket),
        (outcome_key),
        (category_key, complexity_key),
        (category_key, complexity_key, deliverable_bucket)
    )
),

named as (
    select
        *,
        case
            when is_any_outcome = 0 then 'success'
            when is_any_category = 0 and is_any_complexity = 0 and is_any_bucket = 0
                then 'category_complexity_bucket'
            when is_any_category = 0 and is_any_complexity = 0 then 'category_complexity'
            when is_any_category = 0 then 'category'
            when is_any_complexity = 0 then 'complexity'
            when is_any_bucket = 0 then 'deliverable_bucket'
            else 'overall'
        end as stratification,
        coalesce(
            nullif(concat_ws(' / ', category_key, complexity_key, deliverable_bucket, outcome_key), ''),
            'all'
        ) as stratum
    from grouped
    where n > 0
),

final as (
    select
        concat_ws('|', stratification, stratum) as stratum_key,
        stratification,
        stratum,
        category_key as category,
        complexity_key as complexity,
        deliverable_bucket,
        outcome_key as outcome,
        n,
        n_clean,
        n_scored,
        n_truncated,
        n_undecided,
        mean_smape,
        {{ list_item('smape_quantiles', 1) }} as median_smape,
        {{ list_item('smape_quantiles', 2) }} as p90_smape,
        {{ list_item('estimate_ratio_quantiles', 1) }} as p50_estimate_ratio,
        {{ list_item('estimate_ratio_quantiles', 2) }} as p75_estimate_ratio,
        {{ list_item('estimate_ratio_quantiles', 3) }} as p90_estimate_ratio,
        {{ list_item('ceiling_ratio_quantiles', 1) }} as p50_ceiling_ratio,
        {{ list_item('ceiling_ratio_quantiles', 2) }} as p75_ceiling_ratio,
        {{ list_item('ceiling_ratio_quantiles', 3) }} as p90_ceiling_ratio,
        underestimation_rate,
        truncation_rate,
        success_rate
    from named
)

select * from final
