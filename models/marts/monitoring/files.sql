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
        {{ value_of_largest(place_of_content(), 'line_no') }} as file_path,
        max(landing_no) as landing_no,
        {{ value_of_largest('coalesce(landed_bytes, file_bytes)', 'line_no') }} as landed_bytes,
        {{ value_of_largest('has_open_tail', 'line_no') }} as has_open_tail
    from lines
    group by source_file
),

-- of several contents that were at one path the newest is there now
placed as (
    select
        *,
        row_number() over (
            partition by file_path order by landing_no desc, source_file desc
        ) = 1 as is_newest
    from lines_by_file
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
joined as (
    select
        coalesce(
            placed.source_file,
            case
                when taken.source_file is null and not {{ has_landing_no('files.source_file') }}
                    then files.source_file
                else files.source_file || '#0'
            end
        ) as source_file,
        coalesce(placed.source_name, files.source_name) as source_name,
        coalesce(
            nullif(placed.file_path, ''),
            files.source_file,
            {{ path_of_content('placed.source_file') }}
        ) as file_path,
        coalesce(placed.last_line_no, 0) as lines,
        coalesce(
            ranked_by_file.accepted,
            placed.readable_count
            - coalesce(repeated_by_file.duplicate_count, 0)
            - coalesce(repeated_by_file.conflict_count, 0),
            0
        ) as accepted,
        coalesce(ranked_by_file.duplicate, repeated_by_file.duplicate_count, 0) as duplicate,
        coalesce(
            ranked_by_file.quarantined,
            placed.unreadable_count + coalesce(repeated_by_file.conflict_count, 0),
            0
        ) as quarantined,
        coalesce(placed.blank_count, 0) as blank,
        coalesce(ranked_by_file.other, placed.other_count, 0) as other,
        coalesce(
            placed.readable_count
            - coalesce(repeated_by_file.duplicate_count, 0)
            - coalesce(repeated_by_file.conflict_count, 0),
            0
        ) as records,
        coalesce(
            placed.landed_bytes,
            -- nothing waits in a packed file without a line
            case
                when files.state is null and {{ is_packed('files.source_file') }}
                    then files.file_bytes
            end,
            0
        ) as landed_bytes,
        coalesce(placed.has_open_tail, false) as has_open_tail,
        files.source_file is not null as is_present,
        case when files.state is null then files.file_bytes end as file_bytes,
        files.state as state_of_unread,
        coalesce(placed.file_path = '' or not placed.is_newest, false) as is_superseded
    from files
    full outer join placed
        on files.source_file = placed.file_path and placed.is_newest
    left join lines_by_file as taken
        on files.source_file = taken.source_file
    left join repeated_by_file
        on placed.source_file = repeated_by_file.source_file
    left join ranked_by_file
        on placed.source_file = ranked_by_file.source_file
),

-- a tail that came after whole lines had landed shows by the size alone
final as (
    select
        source_file,
        source_name,
        file_path,
        case
            when state_of_unread is not null then state_of_unread
            when is_present and file_bytes > landed_bytes then 'growing'
            when is_present and file_path <> {{ path_of_content('source_file') }} then 'rotated'
            when is_present then 'landed'
            when is_superseded then 'rewritten'
            else 'gone'
        end as state,
        lines,
        accepted,
        duplicate,
        quarantined,
        blank,
        other,
        records,
        landed_bytes,
        -- a file may have grown between its listing and its landing
        coalesce(greatest(file_bytes - landed_bytes, 0), 0) as in_flight_bytes,
        is_present,
        coalesce(file_bytes > landed_bytes, not is_present and has_open_tail) as is_in_flight
    from joined
)

select * from final
