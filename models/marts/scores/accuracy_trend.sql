with

periods as (
    select * from {{ ref('int_periods') }}
),

week_accuracy as (
    select * from {{ ref('int_week_accuracy') }}
),

run_block_accuracy as (
    select * from {{ ref('int_run_block_accuracy') }}
),

-- each event counts in its week and in its block of runs, of its category and of all
accuracy as (
    {% for key, relation in [
        ('week_start', 'week_accuracy'),
        ('run_block', 'run_block_accuracy'),
    ] %}
        select
            periods.period_kind,
            periods.period_no,
            coalesce(periods.week_start, measured.first_seen) as period_start,
            measured.stratification,
            measured.category,
            measured.first_seen,
            measured.last_seen,
            measured.n_runs,
            measured.n,
            measured.n_outcome,
            measured.n_success,
            measured.n_clean,
            measured.n_decided,
            measured.n_underestimated,
            measured.n_stop_known,
            measured.n_truncated,
            measured.mean_smape,
            measured.median_smape,
            measured.p90_smape,
            measured.p50_estimate_ratio,
            measured.p90_estimate_ratio,
            measured.p50_ceiling_ratio,
            measured.p90_ceiling_ratio,
            measured.median_abs_log_error,
            measured.tokens_used,
            measured.tokens_reserved
        from {{ relation }} as measured
        inner join periods
            on measured.{{ key }} = periods.{{ key }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select
        {{ key_of(['period_kind', 'period_no', 'stratification', 'category']) }}
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
    from accuracy
)

select * from final
