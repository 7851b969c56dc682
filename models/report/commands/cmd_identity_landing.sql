with

lines as (
    select * from {{ ref('int_lines') }}
),

final as (
    select
        cast(1 as bigint) as row_no,
        count(distinct source_file) as files,
        max(modified_at) as newest_file,
        max(occurred_at) as newest_event
    from lines
)

select * from final
