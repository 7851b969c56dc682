{{ config(
    materialized=follows_landing(),
    unique_key='event_key',
    post_hook='{{ remember_landing() }}',
) }}

with

lines as (
    select * from {{ ref('base_telemetry__lines') }}
),

-- few columns of all lines: whole lines are read of the repeated ones alone
event_lines as {{ inlined() if not is_incremental() }} (
    select
        source_file,
        line_no,
        landing_no,
        event_key
    from {{ ref('base_telemetry__lines') }}
    where event_key is not null {{ and_of_new_ids() }}
),

repeated_keys as (
    select event_key
    from event_lines
    group by event_key
    having count(*) > 1
),

repeated_places as (
    select
        source_file,
        line_no,
        landing_no
    from event_lines
    where event_key in (select repeated_keys.event_key from repeated_keys)
),

-- content is what the record says, not how it was spelled: order of keys and spaces do not count;
-- a verdict is as new as the newest line of its id, wherever the older ones stand
repeated as (
    select
        lines.source_file,
        lines.line_no,
        max(lines.landing_no) over (partition by lines.event_key) as landing_no,
        lines.event_key,
        lines.run_id,
        lines.phase_id,
        {{ event_content_md5('lines') }} as content_md5,
        {{ event_as_text('lines') }} as line_text
    from lines
    inner join repeated_places
        on
            lines.landing_no = repeated_places.landing_no
            and lines.source_file = repeated_places.source_file
            and lines.line_no = repeated_places.line_no
),

contents as (
    select
        event_key,
        count(distinct content_md5) as content_count
    from repeated
    group by event_key
),

ranked as (
    select
        repeated.*,
        contents.content_count,
        row_number() over (
            partition by repeated.event_key
            order by repeated.source_file asc, repeated.line_no asc
        ) as occurrence
    from repeated
    inner join contents
        on repeated.event_key = contents.event_key
),

final as (
    select
        source_file,
        line_no,
        landing_no,
        event_key,
        run_id,
        phase_id,
        case when content_count > 1 then 'id_conflict' else 'duplicate' end as verdict,
        case when content_count > 1 then line_text end as line_text
    from ranked
    where content_count > 1 or occurrence > 1
)

select * from final
