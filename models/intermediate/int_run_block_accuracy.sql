with

estimates as (
    select * from {{ ref('estimates') }}
),

-- read apart from the estimates: DuckDB keeps as a whole what is read again after it was grouped
runs as (
    select
        run_id,
        row_number() over (order by min(occurred_at) asc, run_id asc) as run_no
    from {{ ref('estimates') }}
    where {{ is_analysed() }}
    group by run_id
),

run_blocks as (
    select
        run_id,
        cast(floor((run_no - 1) / {{ var('runs_per_period') }}) as bigint) as run_block
    from runs
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
        estimates.estimate_ratio,
        estimates.ceiling_ratio,
        run_blocks.run_block,
        abs(estimates.log_error) as abs_log_error,
        cast(1 as bigint) as n,
        coalesce(estimates.category, 'unknown') as category
    from estimates
    inner join run_blocks
        on estimates.run_id = run_blocks.run_id
    where {{ is_analysed('estimates') }}
),

{{ period_accuracy('run_block') }},

final as (
    select
        *,
        first_seen as period_start
    from periods
)

select * from final
