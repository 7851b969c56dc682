{#-
    The fields of a source, from its field map (models/staging/<source>/fields.csv). A row is a
    place where a field may stand: field, rank, path (macros/record/paths.sql; several of them with
    ` + ` between are a sum), form (how it is written there) and type; of several places the first
    with a value counts; without a path there is a default alone. required: always, or the kind of
    record that has to have it; default: SQL for a record without a value; record: the kind of record
    that alone has the field, or `own` for what only the source's own SQL reads. labels.<name> is one
    label. Returned as one entry a field, with its places in order. The map of `tokenest` is the event
    record itself.
-#}
{% macro source_fields(source) %}
    {% set read = graph.setdefault('source_fields ' ~ invocation_id, {}) if execute else {} %}
    {% if source not in read %}{% do read.update({source: read_fields(source)}) %}{% endif %}
    {{ return(read[source]) }}
{% endmacro %}

{#- The same, made of the rows of the field map, which a run does once. -#}
{% macro read_fields(source) %}
    {% set fields = {} %}
    {% set rows = source_rows(source) | sort(attribute='rank') %}
    {% set holds_labels = rows | selectattr('field', 'equalto', 'labels') | list %}
    {% for name, path in ([] if holds_labels else var('label_paths').items()) %}
        {% do rows.append(
            {'field': 'labels.' ~ name, 'path': path, 'form': 'text', 'type': 'label'}
        ) %}
    {% endfor %}
    {% for row in rows %}
        {% set name = row['field'].replace('labels.', 'label_') %}
        {% set field = fields.setdefault(name, dict(row, name=name, places=[])) %}
        {% do field['places'].append({'path': row['path'], 'form': row.get('form')}) %}
    {% endfor %}
    {{ return(fields.values() | list) }}
{% endmacro %}

{#- The fields of the event record, which every source is brought to. -#}
{% macro event_fields() %}
    {{ return(
        source_fields('tokenest') | rejectattr('name', 'in', ['event_id', 'record_type'])
        | rejectattr('record', 'defined') | list
    ) }}
{% endmacro %}

{#- Missing: absent, null, or an empty text. -#}
{% macro is_missing(field) -%}
    {%- if field['required'] != 'always' -%}
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
    {%- if field['type'] in ('text', 'label') -%}
        left({{ value }}, 1) <> '"'
    {%- elif field['type'] == 'record_type' -%}
        {{ value }} not in ('"event"', '"attempt"')
    {%- elif field['type'] == 'flag' -%}
        {{ value }} not in ('true', 'false')
    {%- elif field['type'] == 'text_list' -%}
        not {{ regex_test(value, '^[[]("([^"\\\\]|\\\\.)*"(,"([^"\\\\]|\\\\.)*")*)?[]]$') }}
    {%- elif field['type'] == 'labels' -%}
        not {{ are_labels(without_nulls(value)) }}
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

{#- The JSON text of labels without those that are null: they are none, as in every other field. -#}
{% macro without_nulls(value) -%}
    {%- set absent = '"[a-z][a-z0-9_]{0,31}":null' -%}
    {{ regex_replace_all(regex_replace_all(value, ',' ~ absent, ''), absent ~ ',?', '') }}
{%- endmacro %}

{#-
    An object of at most 8 names, each once, with texts of at most 128 characters. An escape is one
    character; a pair of surrogates is two.
-#}
{% macro are_labels(value) -%}
    {%- set name, text = '"[a-z][a-z0-9_]{0,31}"', '"([^"\\\\]|\\\\.)*"' -%}
    {%- set member = name ~ ':' ~ text -%}
    case
        when not {{ regex_test(value, '^[{](' ~ member ~ '(,' ~ member ~ '){0,7})?[}]$') }} then false
        when {{ regex_test(value, '"([^"\\\\]|\\\\u[0-9a-fA-F]{4}|\\\\[^u]){129}') }} then false
        else not {{ json_has_duplicate_keys(value) }}
    end
{%- endmacro %}

{#-
    RFC 3339, with the offset optional (taken as UTC, as the origin wrote it), from 2000 to 2099.
-#}
{% macro is_not_a_time(field) -%}
    {%- if field['type'] == 'time' -%}
        (
            {{ field['name'] }} is not null
            and (not {{ is_time_text(field['name']) }} or {{ field['name'] }}_value is null)
        )
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}

{#- Boolean: the JSON text is a time of this century, with an offset that a place on earth has. -#}
{% macro is_time_text(value) -%}
    {%- set day, time = '20[0-9]{2}-[0-9]{2}-[0-9]{2}', '([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}' -%}
    {%- set zone = '(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?' -%}
    {{ regex_test(value, '^"' ~ day ~ '[T ]' ~ time ~ '([.][0-9]{1,9})?' ~ zone ~ '"$') }}
{%- endmacro %}

{#-
    Boolean: a day or more after the clock of the machine that builds. One producer whose clock runs
    ahead would move the end of everybody's window.
-#}
{% macro is_in_the_future(occurred_at) -%}
    {%- set clock = run_started_at + modules.datetime.timedelta(days=1) -%}
    {{ occurred_at }} > cast('{{ clock.strftime("%Y-%m-%d %H:%M:%S") }}' as timestamp)
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
    {%- set texts = fields | selectattr('type', 'in', ['text', 'label'])
        | map(attribute='name') | list -%}
    {%- set counts = fields | selectattr('type', 'equalto', 'whole')
        | map(attribute='name') | list -%}
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
        {%- for field in fields if field['type'] not in ('text', 'label') %}
        and {{ is_plain_value(field) }}
        {%- endfor %}
        {%- if fields | selectattr('type', 'equalto', 'record_type') | list %}
        and case
            when record_type_value = 'attempt' then {{ are_present(fields, 'attempt') }}
            else {{ are_present(fields, 'event') }}
        end
        {%- else %}
        and {{ are_present(fields, 'event') }}
        {%- endif %}
    )
{%- endmacro %}

{#- Boolean: the value of one field is of its type. -#}
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
        {%- for field in fields if field.get('required') in ('always', kind) %}
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
    {%- if field['type'] in ('text', 'label', 'record_type') -%}
        nullif({{ json_text(value) }}, '')
    {%- elif field['type'] == 'word' -%}
        lower(replace({{ value }}, '"', ''))
    {%- elif field['type'] == 'flag' -%}
        case {{ value }} when 'true' then true when 'false' then false end
    {%- elif field['type'] == 'text_list' -%}
        {{ json_text_list(value) }}
    {%- elif field['type'] == 'whole' -%}
        try_cast({{ value }} as bigint)
    {%- elif field['type'] == 'number' -%}
        try_cast({{ value }} as double)
    {%- elif field['type'] == 'labels' -%}
        {%- set given = without_nulls(value) -%}
        case when {{ are_labels(given) }} then nullif({{ json_sorted(given) }}, '{}') end
    {%- else -%}
        {{ utc_timestamp(json_text(value)) }}
    {%- endif -%}
{%- endmacro %}

{#- The fields with a column of their own: the key is event_key, single labels are in labels. -#}
{% macro stored_fields(source) %}
    {% set fields = source_fields(source) %}
    {% set stored = fields | rejectattr('name', 'equalto', 'event_id')
        | rejectattr('type', 'equalto', 'label') | list %}
    {% if fields | selectattr('type', 'equalto', 'label') | list %}
        {% do stored.append({'name': 'labels', 'type': 'labels'}) %}
    {% endif %}
    {{ return(stored) }}
{% endmacro %}

{#- A stored value as text, the same on every engine. -#}
{% macro value_as_text(relation, field) -%}
    {%- set value = relation ~ '.' ~ field['name'] -%}
    {{ list_as_json(value) if field['type'] == 'text_list' else 'cast(' ~ value ~ ' as string)' }}
{%- endmacro %}

{#- What a stored record says, field by field, as readable text. -#}
{% macro event_as_text(relation, source) -%}
    concat_ws(
        ', ',
        'event_id=' || {{ relation }}.event_key
        {%- for field in stored_fields(source) %},
        '{{ field["name"] }}=' || {{ value_as_text(relation, field) }}
        {%- endfor %}
    )
{%- endmacro %}

{#-
    What stands at each path of a record, as JSON text: the columns path_1, path_2, .... Fields name
    some paths, and their forms name a value, several times; it is read once.
-#}
{% macro path_texts(record, fields, tree, trees) %}
    {%- for path in field_paths(fields) %}
        {%- set name, hop, inner = path.partition('>') %}
        {{ json_member(name ~ '_record', inner, trees[name]) if name in trees
            else json_member(record, path, tree) }} as path_{{ loop.index }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#-
    A column of JSON text for each field, from what stands at its paths: path_1, path_2, ... of the
    record and, above the record in its line, outer_1, outer_2, ....
-#}
{% macro event_members(fields) %}
    {%- set from_record = field_paths(fields) %}
    {%- set from_line = field_paths(fields, from_line=true) %}
    {%- for field in fields %}
        {%- set values = [] %}
        {%- for place in field['places'] %}
            {%- set parts = [] %}
            {%- for path in place['path'].split(' + ') %}
                {%- set part = 'cast(null as string)' if not path
                    else 'outer_' ~ (from_line.index(path) + 1) if path.startswith('/')
                    else 'path_' ~ (from_record.index(path) + 1) %}
                {%- do parts.append(formed(part, place['form']) | trim) %}
            {%- endfor %}
            {%- do values.append(json_sum(parts) if parts | length > 1 else parts[0]) %}
        {%- endfor %}
        {{ values[0] if values | length == 1 else 'coalesce(' ~ values | join(', ') ~ ')' }}
            as {{ field['name'] }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- A column of its type for each field, beside its text. -#}
{% macro event_values(fields) %}
    {%- for field in fields %}
        {{ typed_value(field) }} as {{ field['name'] }}_value{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#-
    The values of a record, or their defaults; in lines that are none, what the source itself reads.
-#}
{% macro stored_event_columns(source) %}
    {%- for field in stored_fields(source) %}
        {%- set value = labels_text(source)
            if field['type'] == 'labels' and field['places'] is not defined
            else field['name'] ~ '_value' %}
        case
            when {{ 'is_object and reject_reason is null' if field.get('record') == 'own' else 'event_key is not null' }}
                then {{ 'coalesce(' ~ value ~ ', ' ~ field['default'] ~ ')'
                    if field['default'] is defined else value }}
        end as {{ field['name'] }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- JSON text: the value of a label, of at most 128 characters. -#}
{% macro label_quoted(value) -%}
    {{ json_quoted('left(' ~ value ~ ', 128)') }}
{%- endmacro %}

{#- Single labels as one object of texts, each of at most 128 characters; null without any. -#}
{% macro labels_text(source) -%}
    nullif('{' || concat_ws(
        ','
        {%- for field in source_fields(source)
            | selectattr('type', 'equalto', 'label') | sort(attribute='name') %},
        '"{{ field["name"][6:] }}":' || {{ label_quoted(field['name'] ~ '_value') }}
        {%- endfor %}
    ) || '}', '{}')
{%- endmacro %}

{#- md5 of what a stored record says: the order of keys and spaces do not count. -#}
{% macro event_content_md5(relation, source) -%}
    {%- set values = [] -%}
    {%- for field in stored_fields(source) -%}
        {%- do values.append(value_as_text(relation, field)) -%}
    {%- endfor -%}
    md5({{ key_of(values) }})
{%- endmacro %}

{#- How many fields of a stored record have a value. -#}
{% macro known_fields(relation, source) -%}
    (
        {%- for field in stored_fields(source) %}
        case when {{ relation }}.{{ field['name'] }} is null then 0 else 1 end{{ ' +' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{#- The event record's columns of a source's lines; null where the source has no such field. -#}
{% macro event_columns(relation, source) %}
    {%- set has = stored_fields(source) | map(attribute='name') | list %}
    {%- for field in event_fields() %}
        {{ relation ~ '.' ~ field['name'] if field['name'] in has
            else typed_null(field['type']) ~ ' as ' ~ field['name'] }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- A null of the type of a field. -#}
{% macro typed_null(type) -%}
    {%- if type == 'text_list' -%}
        {{ json_text_list('cast(null as string)') }}
    {%- else -%}
        cast(null as {{ {'whole': 'bigint', 'number': 'double', 'flag': 'boolean', 'time': 'timestamp'}
            .get(type, 'string') }})
    {%- endif -%}
{%- endmacro %}

{#-
    Query: no row of the columns, a mapping of their names to the types of fields. DuckDB gives a list
    that is read from a literal no type.
-#}
{% macro no_rows(columns) %}
    select
        {%- for name, type in columns.items() %}
        {{ json_text_list('nothing') if type == 'text_list' else typed_null(type) }}
            as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from (select cast(null as string) as nothing) as no_line
    where false
{% endmacro %}
