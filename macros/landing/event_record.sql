{#-
    The event record: every field that landing reads, with its type and, where the origin's
    export calls it otherwise, its other name. The one list of fields; docs/event_record.md
    is its page for people. Required: of both kinds of record, or of the kind that is named
    (attempt_record.sql).
-#}
{% macro event_fields() %}
    {{ return([
        {'name': 'event_id', 'type': 'text'},
        {'name': 'occurred_at', 'type': 'time', 'alias': 'timestamp', 'required': true},
        {'name': 'run_id', 'type': 'text', 'required': true},
        {'name': 'phase_id', 'type': 'text', 'required': true},
        {'name': 'attempt', 'type': 'whole', 'required': 'attempt'},
        {'name': 'category', 'type': 'text'},
        {'name': 'complexity', 'type': 'text'},
        {'name': 'deliverables', 'type': 'text_list'},
        {'name': 'deliverable_count', 'type': 'whole'},
        {'name': 'provider', 'type': 'text'},
        {'name': 'model', 'type': 'text'},
        {'name': 'input_tokens', 'type': 'whole'},
        {'name': 'coefficients_id', 'type': 'text'},
        {'name': 'estimator_version', 'type': 'text'},
        {'name': 'predicted_output_tokens', 'type': 'whole'},
        {'name': 'selected_budget', 'type': 'whole'},
        {'name': 'actual_max_tokens', 'type': 'whole'},
        {'name': 'actual_output_tokens', 'type': 'whole', 'required': 'event'},
        {'name': 'reasoning_tokens', 'type': 'whole'},
        {'name': 'stop_reason', 'type': 'text'},
        {'name': 'truncated', 'type': 'flag'},
        {'name': 'success', 'type': 'flag', 'required': 'attempt'},
        {'name': 'is_control', 'type': 'flag'},
        {'name': 'quality_flags', 'type': 'text_list'},
        {'name': 'smape_percent', 'type': 'number'},
        {'name': 'waste_ratio', 'type': 'number'},
        {'name': 'underestimated', 'type': 'flag'},
    ]) }}
{% endmacro %}

{#- Names of members to read from a line: the fields and their other names. -#}
{% macro event_member_names() %}
    {% set names = [] %}
    {% for field in record_fields() %}
        {% do names.append(field['name']) %}
        {% if field['alias'] is defined %}{% do names.append(field['alias']) %}{% endif %}
    {% endfor %}
    {{ return(names) }}
{% endmacro %}

{#- Missing: absent, null, or an empty text. -#}
{% macro is_missing(field) -%}
    {%- if field['required'] is string -%}
        (
            coalesce(record_type, '"event"') = '"{{ field["required"] }}"'
            and coalesce({{ field['name'] }}, '""') = '""'
        )
    {%- else -%}
        coalesce({{ field['name'] }}, '""') = '""'
    {%- endif -%}
{%- endmacro %}

{#- A JSON number that JSON does not have (NaN, Infinity): the line is not JSON. -#}
{% macro is_not_a_json_value(field) -%}
    {{ field['name'] }} in ('NaN', '-NaN', 'Infinity', '-Infinity', 'inf', '-inf', 'nan', '-nan')
{%- endmacro %}

{#- Strict types: 12.7, "12" and true are no whole numbers, and nothing is rounded. -#}
{% macro is_wrong_type(field) -%}
    {%- set value = field['name'] -%}
    {%- if field['type'] == 'text' -%}
        left({{ value }}, 1) <> '"'
    {%- elif field['type'] == 'record_type' -%}
        {{ value }} not in ('"event"', '"attempt"')
    {%- elif field['type'] == 'flag' -%}
        {{ value }} not in ('true', 'false')
    {%- elif field['type'] == 'text_list' -%}
        not {{ regex_test(value, '^[[]("([^"\\\\]|\\\\.)*"(,"([^"\\\\]|\\\\.)*")*)?[]]$') }}
    {%- elif field['type'] == 'whole' -%}
        (
            not {{ regex_test(value, '^-?[0-9]+$') }}
            and not coalesce(abs(try_cast({{ value }} as double)) > {{ var('max_whole_number') }}, false)
        )
    {%- elif field['type'] == 'number' -%}
        not {{ regex_test(value, '^-?[0-9]') }}
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}

{#- Whole numbers are counts: from 0 to max_whole_number. -#}
{% macro is_out_of_range(field) -%}
    {%- if field['type'] == 'whole' -%}
        (
            {{ field['name'] }} is not null
            and not coalesce(
                try_cast({{ field['name'] }} as bigint) between 0 and {{ var('max_whole_number') }}, false
            )
        )
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}

{#- RFC 3339, with the offset optional (taken as UTC, as the origin wrote it), from 2000 to 2099. -#}
{% macro is_not_a_time(field) -%}
    {%- if field['type'] == 'time' -%}
        (
            not {{ regex_test(field['name'], '^"20[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})?"$') }}
            or {{ utc_timestamp(json_text(field['name'])) }} is null
        )
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}

{#- True when the rule (one of the macros above) holds for any of the fields. -#}
{% macro any_field(rule, fields) -%}
    coalesce(
        {%- for field in fields %}
        {{ rule(field) }}{{ ' or' if not loop.last }}
        {%- endfor %},
        false
    )
{%- endmacro %}

{#- True when any rule holds for any field: the one question that most lines are asked. -#}
{% macro is_suspicious(fields, required) -%}
    (
        {{ any_field(is_missing, required) }}
        or {{ any_field(is_wrong_type, fields) }}
        or {{ any_field(is_not_a_time, fields | selectattr('type', 'equalto', 'time') | list) }}
        or {{ any_field(is_out_of_range, fields | selectattr('type', 'equalto', 'whole') | list) }}
    )
{%- endmacro %}

{#- True when an object names a key twice. As many keys as fields leave no room for that. -#}
{% macro has_duplicate_key(text, fields) -%}
    (
        {{ json_key_count(text) }} <> {% for field in fields -%}
            case when {{ field['name'] }} is null then 0 else 1 end{{ ' + ' if not loop.last }}
        {%- endfor %}
        and {{ json_has_duplicate_keys(text) }}
    )
{%- endmacro %}

{#- The names of the fields for which the rule holds, comma-separated. -#}
{% macro fields_where(rule, fields) -%}
    concat_ws(
        ', '
        {%- for field in fields %},
        case when coalesce({{ rule(field) }}, false) then '{{ field["name"] }}' end
        {%- endfor %}
    )
{%- endmacro %}

{#- The member as a value of its type. Only for lines without a reject reason. -#}
{% macro typed_value(field) -%}
    {%- set value = field['name'] -%}
    {%- if field['type'] in ('text', 'record_type') -%}
        nullif({{ json_text(value) }}, '')
    {%- elif field['type'] == 'flag' -%}
        case {{ value }} when 'true' then true when 'false' then false end
    {%- elif field['type'] == 'text_list' -%}
        {{ json_text_list(value) }}
    {%- elif field['type'] == 'whole' -%}
        try_cast({{ value }} as bigint)
    {%- elif field['type'] == 'number' -%}
        try_cast({{ value }} as double)
    {%- else -%}
        {{ utc_timestamp(json_text(value)) }}
    {%- endif -%}
{%- endmacro %}

{#- The fields that a record carried, as readable text, for lines whose raw text was not kept. -#}
{% macro event_as_text(relation) -%}
    concat_ws(
        ', '
        {%- for field in record_fields() %},
        '{{ field["name"] }}=' || cast({{ relation }}.{{ field['name'] }} as string)
        {%- endfor %}
    )
{%- endmacro %}

{#- A column of JSON text for each field, read from the members of a record. -#}
{% macro event_members(record) %}
    {%- for field in record_fields() %}
        {%- set member = json_member(record, field['name']) %}
        {%- if field['alias'] is defined %}
            {%- set member = 'coalesce(' ~ member ~ ', ' ~ json_member(record, field['alias']) ~ ')' %}
        {%- endif %}
        {{ member }} as {{ field['name'] }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- A typed column for each field; null in lines that are no record. -#}
{% macro typed_event_columns() %}
    {%- for field in record_fields() %}
        case when reject_reason is null then {{ typed_value(field) }} end as {{ field['name'] }}
        {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- md5 of what the record says: the order of keys and spaces do not count. -#}
{% macro event_content_md5(relation) -%}
    md5(concat_ws(
        '|'
        {%- for field in record_fields() %},
        coalesce(cast({{ relation }}.{{ field['name'] }} as string), '')
        {%- endfor %}
    ))
{%- endmacro %}
