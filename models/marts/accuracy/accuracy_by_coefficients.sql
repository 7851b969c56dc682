with

estimates as (
    select * from {{ ref('estimates') }}
),

events as (
    select
        *,
        coalesce(coefficients_id, 'unknown') as coefficients_key,
        coalesce(category, 'unknown') as category_key
    from estimates
    where {{ is_analysed() }}
),

grouped as (
    select
        coefficients_key,
        estimator_version,
        case when grouping(category_key) = 0 then 'category' else 'overall' end as stratification,
        coalesce(category_key, 'all') as category,
        min(occurred_at) as first_seen,
        max(occurred_at) as last_seen,
        {{ accuracy_counts() }}
    from events
    group by grouping sets (
        (coefficients_key, estimator_version),
        (coefficients_key, estimator_version, category_key)
    )
),

rated as (
    select
        *,
        {{ accuracy_rates() }}
    from grouped
),

-- versions in the order in which they came into use
chained as (
    select
        *,
        row_number() over (
            partition by stratification, category
            order by first_seen asc, coefficients_key asc, estimator_version asc
        ) as version_no,
        lag(concat_ws(' ', estimator_version, coefficients_key)) over (
            partition by stratification, category
            order by first_seen asc, coefficients_key asc, estimator_version asc
        ) as previous_version
        {%- for column in [
            'truncation_rate', 'truncation_lower', 'truncation_upper', 'underestimation_rate',
            'underestimation_lower', 'underestimation_upper', 'median_smape', 'reserved_ratio',
        ] %},
        lag({{ column }}) over (
            partition by stratification, category
            order by first_seen asc, coefficients_key asc, estimator_version asc
        ) as previous_{{ column }}
        {%- endfor %}
    from rated
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
        concat_ws('|', stratification, category, estimator_version, coefficients_key)
            as version_key,
        stratification,
        category,
        coefficients_key as coefficients_id,
        estimator_version,
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
        end as change
    from compared
)

select * from final
