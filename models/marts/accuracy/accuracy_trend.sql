with

weeks as (
    select * from {{ ref('int_week_accuracy') }}
),

run_blocks as (
    select * from {{ ref('int_run_block_accuracy') }}
),

-- each event counts in its week and in its block of runs, of its category and of all
periods as (
    {% for period_kind, relation in [('week', 'weeks'), ('runs', 'run_blocks')] %}
        select
            '{{ period_kind }}' as period_kind,
            stratification,
            category,
            period_no,
            period_start,
            first_seen,
            last_seen,
            n_runs,
            n,
            n_outcome,
            n_success,
            n_clean,
            n_decided,
            n_underestimated,
            n_stop_known,
            n_truncated,
            mean_smape,
            median_smape,
            p90_smape,
            p50_estimate_ratio,
            p90_estimate_ratio,
            p50_ceiling_ratio,
            p90_ceiling_ratio,
            median_abs_log_error,
            tokens_used,
            tokens_reserved
        from {{ relation }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select
        concat_ws('|', period_kind, cast(period_no as string), stratification, category)
            as period_key,
        period_kind,
        cast(period_no as bigint) as period_no,
        stratification,
        category,
        period_start,
        first_seen,
        last_seen,
        n_runs,
        n,
        n_success,
        n_clean,
        n_decided,
        n_stop_known,
        n_truncated,
        {{ accuracy_rates() }},
        median_smape,
        p90_smape,
        p50_estimate_ratio,
        p90_estimate_ratio,
        p50_ceiling_ratio,
        p90_ceiling_ratio,
        mean_smape,
        median_abs_log_error
    from periods
)

select * from final
