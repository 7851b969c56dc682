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
        estimates.*,
        coalesce(estimates.category, 'unknown') as category_key,
        cast(date_trunc('week', estimates.occurred_at) as timestamp) as week_start,
        cast(floor((runs.run_no - 1) / {{ var('runs_per_period') }}) as bigint) as run_block
    from estimates
    inner join runs
        on estimates.run_id = runs.run_id
    where {{ is_analysed() }}
),

-- each event counts in its week and in its block of runs, of its category and of all
grouped as (
    select
        case when grouping(week_start) = 0 then 'week' else 'runs' end as period_kind,
        week_start,
        run_block,
        coalesce(category_key, 'all') as category,
        case when grouping(category_key) = 0 then 'category' else 'overall' end as stratification,
        min(occurred_at) as first_seen,
        max(occurred_at) as last_seen,
        count(distinct run_id) as n_runs,
        {{ accuracy_counts() }}
    from events
    group by grouping sets (
        (week_start),
        (week_start, category_key),
        (run_block),
        (run_block, category_key)
    )
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
