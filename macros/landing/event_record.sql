{#-
    The event record: every field that landing reads, with its type and, where the origin's
    export calls it otherwise, its other name. The one list of fields; docs/event_record.md
    is its page for people. Required: of both kinds of record, or of the kind that is named
    (attempt_record.sql).
-#}
{% macro event_fields() %}
    {{ return([
        {'name': 'event_id', 'type': 'text', 'is_key': true},
        {'name': 'occurred_at', 'type': 'time', 'alias': 'timestamp', 'required': true},
        {'name': 'run_id', 'type': 'text', 'required': true},
        {'name': 'phase_id', 'type': 'text', 'required': true},
        {'name': 'attempt', 'type': 'whole', 'required': 'attempt'},
        {'name': 'category', 'type': 'text'},
        {'name': 'complexity', 'type': 'text'},
        {'name': 'deliverables', 'type': 'text_list'},
        {'name': 'deliverable_count', 'type': 'whole'},
        {'name': 'breakdown', 'type': 'text_list'},
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
    {{ regex_test(field['name'], '^-?(NaN|Infinity|inf|nan)$') }}
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
            and not coalesce(abs(try_cast({{ value }} as double)) > {{ max_whole_number() }}, false)
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
                try_cast({{ field['name'] }} as bigint) between 0 and {{ max_whole_number() }}, false
            )
        )
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}

{#- RFC 3339, with the offset optional (taken as UTC, as the origin wrote it), from 2000 to 2099. -#}
{% macro is_not_a_time(field) -%}
    {%- if field['type'] == 'time' -%}
        (not {{ is_time_text(field['name']) }} or {{ field['name'] }}_value is null)
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}

{% macro is_time_text(value) -%}
    {{ regex_test(value, '^"20[0-9]{2}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})?"$') }}
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

{#-
    What most records are: every value of its type and in its range, nothing missing. Cheaper than
    the rules above, which say what is wrong with the others: a record that is not plain may still
    be good. Beside the text of each member stands its value (typed_value).
-#}
{% macro is_plain(fields) -%}
    {%- set texts = fields | selectattr('type', 'equalto', 'text') | map(attribute='name') | list -%}
    {%- set counts = fields | selectattr('type', 'equalto', 'whole') | map(attribute='name') | list -%}
    (
        -- what begins with a quote lies between it and the next character
        coalesce(
            least({{ texts | join(', ') }}) >= '"' and greatest({{ texts | join(', ') }}) < '#', true
        )
        and coalesce(
            least({{ counts | join('_value, ') }}_value) >= 0
            and greatest({{ counts | join('_value, ') }}_value) <= {{ max_whole_number() }},
            true
        )
        {%- for field in fields if field['type'] != 'text' %}
        and {{ is_plain_value(field) }}
        {%- endfor %}
        and case
            when record_type_value = 'attempt' then {{ are_present(fields, 'attempt') }}
            else {{ are_present(fields, 'event') }}
        end
    )
{%- endmacro %}

{% macro is_plain_value(field) -%}
    {%- set value, typed = field['name'], field['name'] ~ '_value' -%}
    {%- if field['type'] == 'whole' -%}
        {{ value }} is not distinct from cast({{ typed }} as string)
    {%- elif field['type'] == 'time' -%}
        coalesce({{ typed }} is not null and {{ is_time_text(value) }}, true)
    {%- else -%}
        coalesce(not {{ is_wrong_type(field) }}, true)
    {%- endif -%}
{%- endmacro %}

{#- The values that a record of the kind has to have. -#}
{% macro are_present(fields, kind) -%}
    (
        {%- for field in fields if field.get('required') in (true, kind) %}
        {{ field['name'] }}_value is not null{{ ' and' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{#- False when an object names a key twice. As many keys as members leave no room for that. -#}
{% macro has_unique_keys(text, fields) -%}
    case
        when {{ json_key_count(text) }} = {% for field in fields -%}
            case when {{ field['name'] }} is null then 0 else 1 end{{ ' + ' if not loop.last }}
        {%- endfor %} then true
        else not {{ json_has_duplicate_keys(text) }}
    end
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

{#- The member as a value of its type; null or nonsense where the text is not of that type. -#}
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

{#- The fields with a column of their own: the key is the column event_key. -#}
{% macro stored_fields() %}
    {{ return(record_fields() | rejectattr('is_key', 'defined') | list) }}
{% endmacro %}

{#- A stored value as text, the same on every engine. -#}
{% macro value_as_text(relation, field) -%}
    {%- set value = relation ~ '.' ~ field['name'] -%}
    {{ list_as_json(value) if field['type'] == 'text_list' else 'cast(' ~ value ~ ' as string)' }}
{%- endmacro %}

{#- What a stored record says, field by field, as readable text. -#}
{% macro event_as_text(relation) -%}
    concat_ws(
        ', ',
        'event_id=' || {{ relation }}.event_key
        {%- for field in stored_fields() %},
        '{{ field["name"] }}=' || {{ value_as_text(relation, field) }}
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

{#- A column of its type for each field, beside its text. -#}
{% macro event_values() %}
    {%- for field in record_fields() %}
        {{ typed_value(field) }} as {{ field['name'] }}_value{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- The values of a record; null in lines that are none. -#}
{% macro stored_event_columns() %}
    {%- for field in stored_fields() %}
        case when reject_reason is null then {{ field['name'] }}_value end as {{ field['name'] }}
        {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- md5 of what a stored record says: the order of keys and spaces do not count. -#}
{% macro event_content_md5(relation) -%}
    {%- set values = [] -%}
    {%- for field in stored_fields() -%}
        {%- do values.append(value_as_text(relation, field)) -%}
    {%- endfor -%}
    md5({{ key_of(values) }})
{%- endmacro %}
