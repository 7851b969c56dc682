{% set stratifications = {
    'overall': [],
    'category': ['category'],
    'complexity': ['complexity'],
    'deliverable_bucket': ['deliverable_bucket'],
    'success': ['outcome'],
    'category_complexity': ['category', 'complexity'],
    'category_complexity_bucket': ['category', 'complexity', 'deliverable_bucket'],
} %}

with

estimates as (
    select * from {{ ref('estimates') }}
),

events as (
    select
        deliverable_bucket,
        smape,
        estimate_ratio,
        ceiling_ratio,
        underestimated,
        is_truncated,
        is_success,
        is_clean,
        coalesce(category, 'unknown') as category,
        coalesce(complexity, 'unknown') as complexity,
        case
            when is_success then 'success'
            when not is_success then 'failure'
            else 'unknown'
        end as outcome
    from estimates
    where not is_synthetic
),

strata as (
    {% for stratification, columns in stratifications.items() %}
        select
            '{{ stratification }}' as stratification,
            {{ split_columns(columns) }},
            count(*) as n,
            count(case when is_clean then 1 end) as n_clean,
            count(smape) as n_scored,
            count(case when is_truncated then 1 end) as n_truncated,
            count(case when underestimated is null then 1 end) as n_undecided,
            avg(smape) as mean_smape,
            {{ quantiles('smape', [0.5, 0.9]) }} as smape_quantiles,
            {{ quantiles('estimate_ratio', [0.5, 0.75, 0.9]) }} as estimate_ratio_quantiles,
            {{ quantiles('ceiling_ratio', [0.5, 0.75, 0.9]) }} as ceiling_ratio_quantiles,
            {{ share_of('underestimated') }} as underestimation_rate,
            {{ share_of('is_truncated') }} as truncation_rate,
            {{ share_of('is_success') }} as success_rate
        from events
        {{ group_by_columns(columns) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

named as (
    select
        *,
        coalesce(
            nullif(concat_ws(' / ', category, complexity, deliverable_bucket, outcome), ''),
            'all'
        ) as stratum
    from strata
    where n > 0
),

final as (
    select
        concat_ws('|', stratification, stratum) as stratum_key,
        stratification,
        stratum,
        category,
        complexity,
        deliverable_bucket,
        outcome,
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
