{#-
    The calls that a source's lines tell, one a line that counts, in the columns of the event
    record: those that have landed since, or those that `changed` is true of. A source of which
    several lines tell one call, or which names things otherwise, writes its calls itself; `own` are
    the columns that it needs for that.
-#}
{% macro accepted_calls(source, where=none, changed=none, own=[]) %}
    select
        lines.event_key as event_id,
        lines.has_event_id,
        {{ event_columns('lines', source) }},
        {%- for name in own %}
        lines.{{ name }},
        {%- endfor %}
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
        {% if is_incremental() %}and {{ changed or 'lines.landing_no > ' ~ landed_before() }}{% endif %}
{% endmacro %}

{#-
    The columns of a call, in their order, from a relation that has them: `values` are those that are
    SQL of their own. With `has`, the names that the relation has, the others are null.
-#}
{% macro call_columns(relation, values, has=none) %}
    {%- for field in [{'name': 'event_id'}, {'name': 'has_event_id'}] + event_fields() + [
        {'name': 'source_file'}, {'name': 'line_no'}, {'name': 'landing_no'}
    ] %}
    {% set name = field['name'] -%}
    {%- if name in values -%}
        {{ values[name] }} as {{ name }}
    {%- elif has is none or name in has -%}
        {{ relation }}.{{ name }}
    {%- else -%}
        {{ typed_null(field['type']) }} as {{ name }}
    {%- endif -%}
    {{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
