{{ config(enabled=is_read()) }}

with

lines as (
    select * from {{ ref('int_lines') }}
),

repeated_lines as (
    select * from {{ ref('int_repeated_lines') }}
),

unreadable as (
    select
        source_name,
        source_file,
        line_no,
        record_no,
        reject_reason,
        reject_fields,
        cast(null as string) as event_id,
        line_bytes,
        line_md5,
        line_text
    from lines
    where reject_reason is not null
),

-- an id that came with several contents: the record says which, the raw line is in the file
conflicts as (
    select
        source_name,
        source_file,
        line_no,
        record_no,
        verdict as reject_reason,
        'event_id' as reject_fields,
        event_key as event_id,
        cast(null as bigint) as line_bytes,
        cast(null as string) as line_md5,
        line_text
    from repeated_lines
    where verdict = 'id_conflict'
),

final as (
    select * from unreadable
    union all
    select * from conflicts
)

select * from final
