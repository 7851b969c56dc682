with

files as (
    select * from {{ ref('base_telemetry__files') }}
),

lines as (
    select * from {{ ref('int_lines') }}
),

repeated_lines as (
    select * from {{ ref('int_repeated_lines') }}
),

lines_by_file as (
    select
        source_file,
        min(source_name) as source_name,
        count(*) as line_count,
        max(line_no) as last_line_no,
        count(case when is_blank then 1 end) as blank_count,
        count(case when is_other then 1 end) as other_count,
        count(reject_reason) as unreadable_count,
        count(event_key) as readable_count,
        max(file_bytes) as landed_bytes,
        max_by(has_open_tail, line_no) as has_open_tail
    from lines
    group by source_file
),

repeated_by_file as (
    select
        source_file,
        count(case when verdict = 'duplicate' then 1 end) as duplicate_count,
        count(case when verdict = 'id_conflict' then 1 end) as conflict_count
    from repeated_lines
    group by source_file
),

-- files that are gone keep their row, and so do files of which nothing has landed yet
final as (
    select
        coalesce(files.source_file, lines_by_file.source_file) as source_file,
        coalesce(lines_by_file.source_name, files.source_name) as source_name,
        coalesce(lines_by_file.last_line_no, 0) as lines,
        coalesce(lines_by_file.readable_count, 0)
        - coalesce(repeated_by_file.duplicate_count, 0)
        - coalesce(repeated_by_file.conflict_count, 0) as accepted,
        coalesce(repeated_by_file.duplicate_count, 0) as duplicate,
        coalesce(lines_by_file.unreadable_count, 0)
        + coalesce(repeated_by_file.conflict_count, 0) as quarantined,
        coalesce(lines_by_file.blank_count, 0) as blank,
        coalesce(lines_by_file.other_count, 0) as other,
        coalesce(lines_by_file.landed_bytes, 0) as landed_bytes,
        files.source_file is not null as is_present,
        -- a tail that came after whole lines had landed shows by the size alone
        coalesce(lines_by_file.has_open_tail, false)
        or coalesce(files.file_bytes > coalesce(lines_by_file.landed_bytes, 0), false)
            as is_in_flight
    from files
    full outer join lines_by_file
        on files.source_file = lines_by_file.source_file
    left join repeated_by_file
        on lines_by_file.source_file = repeated_by_file.source_file
)

select * from final
