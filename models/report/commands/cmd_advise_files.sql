with

files as (
    select * from {{ ref('base_telemetry__files') }}
),

lines as (
    select * from {{ ref('int_lines') }}
),

counted as (
    select
        source_file,
        count(*) as lines,
        sum(case when reject_reason is not null then 1 else 0 end) as quarantined,
        sum(case when event_key is not null then 1 else 0 end) as accepted,
        min(reject_reason) as a_reject_reason
    from lines
    group by source_file
),

final as (
    select
        files.source_file,
        files.source_name,
        files.looks_like,
        cast(coalesce(counted.lines, 0) as bigint) as lines,
        cast(coalesce(counted.accepted, 0) as bigint) as accepted,
        cast(coalesce(counted.quarantined, 0) as bigint) as quarantined,
        counted.a_reject_reason,
        row_number() over (order by files.source_file asc) as row_no
    from files
    left join counted
        on files.source_file = counted.source_file
)

select * from final
