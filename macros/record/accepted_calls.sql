{#-
    The calls that a source's lines tell, one a line that counts, in the columns of the event
    record: those that have landed since. A source of which several lines tell one call, or which
    names things otherwise, writes its calls itself.
-#}
{% macro accepted_calls(source, where=none) %}
    select
        lines.event_key as event_id,
        lines.has_event_id,
        {{ event_columns('lines', source) }},
        lines.source_file,
        lines.line_no,
        lines.landing_no
    from {{ ref('base_' ~ source ~ '__lines') }} as lines
    left join {{ ref('base_' ~ source ~ '__repeated_lines') }} as repeated_lines
        on
            lines.source_file = repeated_lines.source_file
            and lines.line_no = repeated_lines.line_no
            and lines.record_no = repeated_lines.record_no
    where
        lines.event_key is not null
        and repeated_lines.verdict is null
        {% if where %}and {{ where }}{% endif %}
        {% if is_incremental() %}and lines.landing_no > {{ landed_before() }}{% endif %}
{% endmacro %}
