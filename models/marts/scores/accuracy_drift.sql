with

trend as (
    select * from {{ ref('accuracy_trend') }}
    where period_kind = 'runs'
),

ranked as (
    select
        *,
        row_number() over (
            partition by stratification, category
            order by period_no asc
        ) as position_from_start,
        row_number() over (
            partition by stratification, category
            order by period_no desc
        ) as position_from_end
    from trend
),

baseline as (
    select * from ranked
    where position_from_start = 1 and position_from_end > 1
),

latest as (
    select * from ranked
    where position_from_end = 1
),

compared as (
    select
        latest.stratification,
        latest.category,
        baseline.first_seen as baseline_first_seen,
        baseline.last_seen as baseline_last_seen,
        baseline.n as baseline_n,
        baseline.truncation_rate as baseline_truncation_rate,
        baseline.underestimation_rate as baseline_underestimation_rate,
        baseline.median_smape as baseline_median_smape,
        latest.first_seen,
        latest.last_seen,
        latest.n,
        latest.truncation_rate,
        latest.truncation_lower,
        latest.truncation_upper,
        latest.underestimation_rate,
        latest.underestimation_lower,
        latest.underestimation_upper,
        latest.median_smape,
        {{ rate_change(
            'latest.truncation_lower', 'latest.truncation_upper',
            'baseline.truncation_lower', 'baseline.truncation_upper',
        ) }} as truncation_change,
        {{ rate_change(
            'latest.underestimation_lower', 'latest.underestimation_upper',
            'baseline.underestimation_lower', 'baseline.underestimation_upper',
        ) }} as underestimation_change
    from latest
    left join baseline
        on
            latest.stratification = baseline.stratification
            and latest.category = baseline.category
),

final as (
    select
        {{ key_of(['stratification', 'category']) }} as drift_key,
        stratification,
        category,
        baseline_first_seen,
        baseline_last_seen,
        baseline_n,
        baseline_truncation_rate,
        baseline_underestimation_rate,
        baseline_median_smape,
        first_seen,
        last_seen,
        n,
        truncation_rate,
        truncation_lower,
        truncation_upper,
        underestimation_rate,
        underestimation_lower,
        underestimation_upper,
        median_smape,
        truncation_change,
        underestimation_change,
        case
            when baseline_n is null then 'no baseline'
            else {{ overall_change('truncation_change', 'underestimation_change') }}
        end as drift
    from compared
)

select * from final
