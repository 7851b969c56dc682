{% set stratifications = {
    'overall': [],
    'category': ['category'],
    'complexity': ['complexity'],
    'deliverable_bucket': ['deliverable_bucket'],
    'success': ['outcome'],
    'category_complexity': ['category', 'complexity'],
    'category_complexity_bucket': ['category', 'complexity', 'deliverable_bucket'],
} %}
{% set strata = [] %}
{% for stratification, columns in stratifications.items() %}
    {% do strata.append({'labels': {'stratification': stratification}, 'columns': columns}) %}
{% endfor %}
{% set stratum_key = key_of(['stratification'] + stratum_names()) %}

with

counted_estimates as {{ inlined() }} (
    select * from {{ ref('int_counted_estimates') }}
),

events as {{ inlined() }} (
    select
        *,
        {{ outcome() }} as outcome
    from counted_estimates
    where not is_synthetic
),

cells as (
    select
        category,
        complexity,
        deliverable_bucket,
        outcome,
        {{ accuracy_cell() }}
    from events
    group by category, complexity, deliverable_bucket, outcome
),

{{ stratum_quantiles(
    events='events',
    names=stratum_names(),
    strata=strata,
    wanted=dict(
        accuracy_quantiles(),
        p75_estimate_ratio=('estimate_ratio', 0.75),
        p75_ceiling_ratio=('ceiling_ratio', 0.75),
    ),
) }},

keyed_quantiles as (
    select
        *,
        {{ stratum_key }} as stratum_key
    from quantiles
),

grouped as (
    {% for stratification, columns in stratifications.items() %}
        select
            '{{ stratification }}' as stratification,
            {{ split_columns(columns) }},
            {{ accuracy_counts() }}
        from cells
        {{ group_by_columns(columns) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

named as (
    select
        *,
        {{ stratum_key }} as stratum_key,
        {{ stratum_name() }} as stratum,
        {{ accuracy_rates() }}
    from grouped
    where n > 0
),

final as (
    select
        named.stratum_key,
        named.stratification,
        named.stratum,
        named.category,
        named.complexity,
        named.deliverable_bucket,
        named.outcome,
        named.n,
        named.n_clean,
        named.n_scored,
        named.n_truncated,
        named.mean_smape,
        keyed_quantiles.median_smape,
        keyed_quantiles.p90_smape,
        keyed_quantiles.p50_estimate_ratio,
        keyed_quantiles.p75_estimate_ratio,
        keyed_quantiles.p90_estimate_ratio,
        keyed_quantiles.p50_ceiling_ratio,
        keyed_quantiles.p75_ceiling_ratio,
        keyed_quantiles.p90_ceiling_ratio,
        named.underestimation_rate,
        named.truncation_rate,
        named.success_rate,
        named.n - named.n_decided as n_undecided
    from named
    left join keyed_quantiles
        on named.stratum_key = keyed_quantiles.stratum_key
)

select * from final
