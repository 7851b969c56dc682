{{ config(enabled=is_read()) }}

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

-- where lines hold several records a line is one of them, the worst first
files_of_several as (
    select distinct source_file
    from lines
    where record_no > 1
),

ranked_lines as (
    select
        lines.source_file,
        lines.line_no,
        max(
            case
                when lines.reject_reason is not null then 4
                when repeated_lines.verdict = 'id_conflict' then 4
                when lines.event_key is not null and repeated_lines.verdict is null then 3
                when lines.event_key is not null then 2
                when lines.is_other then 1
                else 0
            end
        ) as verdict_rank
    from lines
    inner join files_of_several
        on lines.source_file = files_of_several.source_file
    left join repeated_lines
        on
            lines.source_file = repeated_lines.source_file
            and lines.line_no = repeated_lines.line_no
            and lines.record_no = repeated_lines.record_no
    group by lines.source_file, lines.line_no
),

ranked_by_file as (
    select
        source_file,
        count(case when verdict_rank = 4 then 1 end) as quarantined,
        count(case when verdict_rank = 3 then 1 end) as accepted,
        count(case when verdict_rank = 2 then 1 end) as duplicate,
        count(case when verdict_rank = 1 then 1 end) as other
    from ranked_lines
    group by source_file
),

lines_by_file as (
    select
        source_file,
        min(source_name) as source_name,
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
        coalesce(
            ranked_by_file.accepted,
            lines_by_file.readable_count
            - coalesce(repeated_by_file.duplicate_count, 0)
            - coalesce(repeated_by_file.conflict_count, 0),
            0
        ) as accepted,
        coalesce(ranked_by_file.duplicate, repeated_by_file.duplicate_count, 0) as duplicate,
        coalesce(
            ranked_by_file.quarantined,
            lines_by_file.unreadable_count + coalesce(repeated_by_file.conflict_count, 0),
            0
        ) as quarantined,
        coalesce(lines_by_file.blank_count, 0) as blank,
        coalesce(ranked_by_file.other, lines_by_file.other_count, 0) as other,
        coalesce(
            lines_by_file.readable_count
            - coalesce(repeated_by_file.duplicate_count, 0)
            - coalesce(repeated_by_file.conflict_count, 0),
            0
        ) as records,
        coalesce(lines_by_file.landed_bytes, 0) as landed_bytes,
        files.source_file is not null as is_present,
        -- a tail that came after whole lines had landed shows by the size alone
        coalesce(lines_by_file.has_open_tail, false)
        or coalesce(
            files.file_bytes > coalesce(lines_by_file.landed_bytes, 0)
            and coalesce(files.source_name, '') not in ('unrecognised', 'ambiguous', 'set_aside'),
            false
        ) as is_in_flight
    from files
    full outer join lines_by_file
        on files.source_file = lines_by_file.source_file
    left join repeated_by_file
        on lines_by_file.source_file = repeated_by_file.source_file
    left join ranked_by_file
        on lines_by_file.source_file = ranked_by_file.source_file
)

select * from final
