with

calls as (
    select * from {{ ref('calls') }}
),

runs as (
    select * from {{ ref('int_runs') }}
),

-- what a period holds is the same as long as as many events of the same landings are in it
weeks as (
    select
        'week' as period_kind,
        week_start,
        cast(null as bigint) as run_block,
        count(*) as n_calls,
        concat_ws('|', cast(count(*) as string), cast(max(landing_no) as string)) as content_key
    from calls
    where {{ is_analysed() }}
    group by week_start
),

run_blocks as (
    select
        'runs' as period_kind,
        cast(null as timestamp) as week_start,
        run_block,
        sum(n) as n_calls,
        concat_ws(
            '|',
            cast(sum(n) as string),
            cast(max(newest_landing_no) as string),
            md5({{ joined_text('run_id') }})
        ) as content_key
    from runs
    group by run_block
),

periods as (
    select * from weeks
    union all
    select * from run_blocks
),

numbered as (
    select
        *,
        row_number() over (partition by period_kind order by week_start asc, run_block asc)
            as period_no,
        sum(n_calls) over (
            partition by period_kind
            order by week_start asc, run_block asc
            rows between unbounded preceding and current row
        ) as n_so_far
    from periods
),

final as (
    select
        period_kind,
        week_start,
        run_block,
        content_key,
        period_no,
        cast(floor((n_so_far - 1) / {{ calls_of_a_part() }}) as bigint) as part_no
    from numbered
)

select * from final
