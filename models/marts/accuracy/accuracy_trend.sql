{% set periods = [('week', 'week_start'), ('runs', 'run_block')] %}
{% set stratifications = {'overall': [], 'category': ['category']} %}

with

estimates as (
    select * from {{ ref('estimates') }}
),

runs as (
    select
        run_id,
        row_number() over (order by min(occurred_at) asc, run_id asc) as run_no
    from estimates
    where {{ is_analysed() }}
    group by run_id
),

events as (
    select
        estimates.run_id,
        estimates.occurred_at,
        estimates.actual_output_tokens,
        estimates.ceiling_tokens,
        estimates.is_truncated,
        estimates.is_success,
        estimates.is_clean,
        estimates.underestimated,
        estimates.smape,
        estimates.log_error,
        estimates.estimate_ratio,
        estimates.ceiling_ratio,
        coalesce(estimates.category, 'unknown') as category,
        cast(date_trunc('week', estimates.occurred_at) as timestamp) as week_start,
        cast(floor((runs.run_no - 1) / {{ var('runs_per_period') }}) as bigint) as run_block
    from estimates
    inner join runs
        on estimates.run_id = runs.run_id
    where {{ is_analysed('estimates') }}
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
                min(occurred_at) as first_seen,
                max(occurred_at) as last_seen,
                count(distinct run_id) as n_runs,
                median(abs(log_error)) as median_abs_log_error,
                {{ accuracy_counts() }}
            from events
            {{ group_by_columns([period] + columns) }}
            {{ 'union all' if not (is_last_kind and loop.last) }}
        {% endfor %}
    {% endfor %}
),

numbered as (
    select
        *,
        dense_rank() over (
            partition by period_kind
            order by week_start asc nulls first, run_block asc nulls first
        ) as period_no
    from grouped
),

final as (
    select
        concat_ws('|', period_kind, cast(period_no as string), stratification, category)
            as period_key,
        period_kind,
        cast(period_no as bigint) as period_no,
        stratification,
        category,
        coalesce(week_start, first_seen) as period_start,
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
        mean_smape,
        median_abs_log_error
    from numbered
)

select * from final
