{% set periods = [('week', 'week_start'), ('runs', 'run_block')] %}
{% set stratifications = {'overall': [], 'category': ['category']} %}

with

estimates as (
    select * from {{ ref('estimates') }}
),

-- read once more: DuckDB keeps as a whole what is read again after a part of it was grouped
estimates_of_runs as (
    select * from {{ ref('estimates') }}
),

events as (
    select
        run_id,
        occurred_at,
        actual_output_tokens,
        ceiling_tokens,
        is_truncated,
        is_success,
        is_clean,
        underestimated,
        smape,
        estimate_ratio,
        ceiling_ratio,
        cast(date_trunc('week', occurred_at) as timestamp) as week_start,
        abs(log_error) as abs_log_error,
        coalesce(category, 'unknown') as category
    from estimates
    where {{ is_analysed() }}
),

run_cells as (
    select
        run_id,
        category,
        week_start,
        min(occurred_at) as first_seen,
        max(occurred_at) as last_seen,
        {{ accuracy_cell() }}
    from events
    group by run_id, category, week_start
),

numbered_runs as (
    select
        run_id,
        row_number() over (order by min(first_seen) asc, run_id asc) as run_no
    from run_cells
    group by run_id
),

runs as (
    select
        run_id,
        cast(floor((run_no - 1) / {{ var('runs_per_period') }}) as bigint) as run_block
    from numbered_runs
),

cells as (
    select
        run_cells.*,
        runs.run_block
    from run_cells
    inner join runs
        on run_cells.run_id = runs.run_id
),

-- each event counts in its week and in its block of runs, of its category and of all
grouped as (
    {% for period_kind, period in periods %}
        {%- set is_last_kind = loop.last %}
        {% for stratification, columns in stratifications.items() %}
            select
                '{{ period_kind }}' as period_kind,
                '{{ stratification }}' as stratification,
                {{ 'category' if columns else "'all'" }} as category,
                {{ 'week_start' if period == 'week_start' else 'cast(null as timestamp)' }}
                    as week_start,
                {{ 'run_block' if period == 'run_block' else 'cast(null as bigint)' }}
                    as run_block,
                min(first_seen) as first_seen,
                max(last_seen) as last_seen,
                count(distinct run_id) as n_runs,
                {{ accuracy_counts() }}
            from cells
            {{ group_by_columns([period] + columns) }}
            {{ 'union all' if not (is_last_kind and loop.last) }}
        {% endfor %}
    {% endfor %}
),

-- a week holds many events of few values, a block of runs few events of many values
counted as (
    {{ counted_values(
        'events',
        ['category', 'week_start'],
        ['smape', 'estimate_ratio', 'ceiling_ratio', 'abs_log_error'],
    ) }}
),

ranked as (
    {% for stratification, columns in stratifications.items() %}
        select
            '{{ stratification }}' as stratification,
            {{ 'category' if columns else "'all'" }} as category,
            week_start,
            {{ ranked_values(['week_start'] + columns) }}
        from counted
        {{ group_by_columns(['measure', 'value', 'week_start'] + columns) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

week_quantiles as (
    select
        'week' as period_kind,
        stratification,
        category,
        week_start,
        cast(null as bigint) as run_block,
        {{ accuracy_quantiles(counted_quantile) }},
        {{ counted_quantile(0.5, 'abs_log_error') }} as median_abs_log_error
    from ranked
    group by stratification, category, week_start
),

block_events as (
    select
        runs.run_block,
        estimates_of_runs.smape,
        estimates_of_runs.estimate_ratio,
        estimates_of_runs.ceiling_ratio,
        abs(estimates_of_runs.log_error) as abs_log_error,
        coalesce(estimates_of_runs.category, 'unknown') as category
    from estimates_of_runs
    inner join runs
        on estimates_of_runs.run_id = runs.run_id
    where {{ is_analysed('estimates_of_runs') }}
),

block_quantiles as (
    {% for stratification, columns in stratifications.items() %}
        select
            'runs' as period_kind,
            '{{ stratification }}' as stratification,
            {{ 'category' if columns else "'all'" }} as category,
            cast(null as timestamp) as week_start,
            run_block,
            {{ accuracy_quantiles(value_quantile) }},
            {{ value_quantile(0.5, 'abs_log_error') }} as median_abs_log_error
        from block_events
        {{ group_by_columns(['run_block'] + columns) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

quantiles as (
    select * from week_quantiles
    union all
    select * from block_quantiles
),

rated as (
    select
        grouped.*,
        quantiles.median_smape,
        quantiles.p90_smape,
        quantiles.p50_estimate_ratio,
        quantiles.p90_estimate_ratio,
        quantiles.p50_ceiling_ratio,
        quantiles.p90_ceiling_ratio,
        quantiles.median_abs_log_error,
        {{ accuracy_rates() }}
    from grouped
    left join quantiles
        on
            grouped.period_kind = quantiles.period_kind
            and grouped.stratification = quantiles.stratification
            and grouped.category = quantiles.category
            and grouped.week_start is not distinct from quantiles.week_start
            and grouped.run_block is not distinct from quantiles.run_block
),

numbered as (
    select
        *,
        dense_rank() over (
            partition by period_kind
            order by week_start asc nulls first, run_block asc nulls first
        ) as period_no
    from rated
),

final as (
    select
        period_kind,
        cast(period_no as bigint) as period_no,
        stratification,
        category,
        first_seen,
        last_seen,
        n_runs,
        n,
        n_success,
        n_clean,
        n_decided,
        n_stop_known,
        n_truncated,
        success_rate,
        success_lower,
        success_upper,
        underestimation_rate,
        underestimation_lower,
        underestimation_upper,
        truncation_rate,
        truncation_lower,
        truncation_upper,
        median_smape,
        p90_smape,
        p50_estimate_ratio,
        p90_estimate_ratio,
        p50_ceiling_ratio,
        p90_ceiling_ratio,
        reserved_ratio,
        mean_smape,
        median_abs_log_error,
        concat_ws('|', period_kind, cast(period_no as string), stratification, category)
            as period_key,
        coalesce(week_start, first_seen) as period_start
    from numbered
)

select * from final
