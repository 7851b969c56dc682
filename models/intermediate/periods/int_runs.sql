with

calls as (
    select * from {{ ref('calls') }}
),

runs as (
    select
        run_id,
        min(occurred_at) as first_seen,
        count(*) as n,
        max(landing_no) as newest_landing_no
    from calls
    where {{ is_analysed() }}
    group by run_id
),

numbered as (
    select
        *,
        row_number() over (order by first_seen asc, run_id asc) as run_no
    from runs
),

final as (
    select
        *,
        cast(floor((run_no - 1) / {{ var('runs_per_period') }}) as bigint) as run_block
    from numbered
)

select * from final
