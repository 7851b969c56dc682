with

estimates as (
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
        cast(1 as bigint) as n,
        coalesce(category, 'unknown') as category
    from estimates
    where {{ is_analysed() }}
),

{{ period_accuracy('week_start') }},

final as (
    select
        *,
        week_start as period_start
    from periods
)

select * from final
