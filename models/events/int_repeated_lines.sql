with

repeated_lines as (
    {{ united('base', 'repeated_lines', repeated_line_types()) }}
),

{% if is_read() %}
    completed_events as (
        select * from {{ ref('int_completed_events').include(database=is_guest()) }}
    ),
{% endif %}

final as (
    select * from repeated_lines
    {% if is_read() %}
        union all
        select
            source_name,
            accepted_file as source_file,
            accepted_line_no as line_no,
            accepted_record_no as record_no,
            landing_no,
            event_id as event_key,
            run_id,
            phase_id,
            'duplicate' as verdict,
            cast(null as string) as line_text
        from completed_events
        where not is_counted
    {% endif %}
)

select * from final
