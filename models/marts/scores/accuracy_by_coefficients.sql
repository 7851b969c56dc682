{% set stratifications = {'overall': [], 'category': ['category']} %}
{% set strata = [] %}
{% for stratification, columns in stratifications.items() %}
    {% do strata.append({
        'labels': {'stratification': stratification},
        'columns': ['coefficients_id', 'estimator_version'] + columns,
    }) %}
{% endfor %}

with

counted_estimates as {{ inlined() }} (
    select * from {{ ref('int_counted_estimates') }}
),

events as {{ inlined() }} (
    select
        *,
        abs(log_error) as abs_log_error
    from counted_estimates
    where {{ is_analysed() }}
),

cells as (
    select
        coefficients_id,
        estimator_version,
        category,
        min(first_seen) as first_seen,
        max(last_seen) as last_seen,
        {{ accuracy_cell() }}
    from events
    group by coefficients_id, estimator_version, category
),

grouped as (
    {% for stratification, columns in stratifications.items() %}
        select
            coefficients_id,
            estimator_version,
            '{{ stratification }}' as stratification,
            {{ 'category' if columns else "'all'" }} as category,
            min(first_seen) as first_seen,
            max(last_seen) as last_seen,
            {{ accuracy_counts() }}
        from cells
        {{ group_by_columns(['coefficients_id', 'estimator_version'] + columns) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

{{ stratum_quantiles(
    events='events',
    names=['coefficients_id', 'estimator_version', 'category'],
    strata=strata,
    wanted=dict(accuracy_quantiles(), median_abs_log_error=('abs_log_error', 0.5)),
) }},

rated as (
    select
        grouped.*,
        quantiles.median_smape,
        quantiles.p50_estimate_ratio,
        quantiles.p50_ceiling_ratio,
        quantiles.median_abs_log_error,
        concat_ws(' ', grouped.estimator_version, nullif(grouped.coefficients_id, 'unknown'))
            as version_name,
        {{ accuracy_rates() }}
    from grouped
    left join quantiles
        on
            grouped.coefficients_id = quantiles.coefficients_id
            and grouped.estimator_version = quantiles.estimator_version
            and grouped.stratification = quantiles.stratification
            and grouped.category = coalesce(quantiles.category, 'all')
),

-- versions in the order in which they came into use
chained as (
    select
        *,
        row_number() over versions as version_no,
        lag(version_name) over versions as previous_version,
        lag(truncation_rate) over versions as previous_truncation_rate,
        lag(truncation_lower) over versions as previous_truncation_lower,
        lag(truncation_upper) over versions as previous_truncation_upper,
        lag(underestimation_rate) over versions as previous_underestimation_rate,
        lag(underestimation_lower) over versions as previous_underestimation_lower,
        lag(underestimation_upper) over versions as previous_underestimation_upper,
        lag(median_smape) over versions as previous_median_smape,
        lag(reserved_ratio) over versions as previous_reserved_ratio
    from rated
    window
        versions as (
            partition by stratification, category
            order by first_seen asc, coefficients_id asc, estimator_version asc
        )
),

compared as (
    select
        *,
        {{ rate_change(
            'truncation_lower', 'truncation_upper',
            'previous_truncation_lower', 'previous_truncation_upper',
        ) }} as truncation_change,
        {{ rate_change(
            'underestimation_lower', 'underestimation_upper',
            'previous_underestimation_lower', 'previous_underestimation_upper',
        ) }} as underestimation_change
    from chained
),

final as (
    select
        {{ key_of(['stratification', 'category', 'estimator_version', 'coefficients_id']) }}
            as version_key,
        stratification,
        category,
        coefficients_id,
        estimator_version,
        version_name,
        cast(version_no as bigint) as version_no,
        previous_version,
        first_seen,
        last_seen,
        n,
        n_clean,
        n_truncated,
        truncation_rate,
        truncation_lower,
        truncation_upper,
        underestimation_rate,
        underestimation_lower,
        underestimation_upper,
        median_smape,
        median_abs_log_error,
        p50_estimate_ratio,
        p50_ceiling_ratio,
        reserved_ratio,
        previous_truncation_rate,
        previous_underestimation_rate,
        previous_median_smape,
        previous_reserved_ratio,
        truncation_change,
        underestimation_change,
        case
            when previous_version is null then 'first'
            else {{ overall_change('truncation_change', 'underestimation_change') }}
        end as version_change
    from compared
)

select * from final
