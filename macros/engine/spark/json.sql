{#- Reads one JSON value and nothing after it; what Spark lets pass by default is refused. -#}
{% macro spark_json_options() -%}
    map(
        'allowSingleQuotes', 'false', 'allowNonNumericNumbers', 'false',
        'maxNestingDepth', '{{ var("max_line_bytes") }}'
    )
{%- endmacro %}

{#-
    The member after the text is reached only when the text is one whole value. Jackson lets half a
    surrogate pair pass: pairs and other escapes are taken out, and none may be left.
-#}
{% macro spark__json_is_valid(text) -%}
    (
        coalesce(
            from_json('{"value":' || {{ text }} || ',"end":0}', 'end int', {{ spark_json_options() }}).end = 0,
            false
        )
        and not regexp_like(
            regexp_replace(
                {{ text }},
                '\\\\(?:[^u]|u[dD][89abAB][0-9a-fA-F]{2}\\\\u[dD][c-fC-F][0-9a-fA-F]{2})',
                ''
            ),
            '\\\\u[dD][89a-fA-F]'
        )
    )
{%- endmacro %}

{% macro spark__json_key_count(text) -%}
    array_size(json_object_keys({{ text }}))
{%- endmacro %}

{% macro spark__json_has_duplicate_keys(text) -%}
    (array_size(json_object_keys({{ text }})) <> array_size(array_distinct(json_object_keys({{ text }}))))
{%- endmacro %}

{% macro spark__json_record(text, tree) -%}
    from_json(
        {{ text }},
        '{% for name in tree %}`{{ name }}` variant{{ ', ' if not loop.last }}{% endfor %}',
        {{ spark_json_options() }}
    )
{%- endmacro %}

{% macro spark__json_member(record, path, tree) -%}
    {%- set steps = path_steps(path) -%}
    {{ spark_member_text(record ~ '.`' ~ steps[0]['value'] ~ '`', steps[1:]) }}
{%- endmacro %}

{#- What steps lead to from a variant, as JSON text. -#}
{% macro spark_member_text(value, steps) -%}
    {%- set way = namespace(value=value, path='') -%}
    {%- for step in steps -%}
        {%- if step['kind'] == 'name' -%}
            {%- set way.path = way.path ~ '["' ~ step['value'] ~ '"]' -%}
        {%- elif step['kind'] == 'item' -%}
            {%- set way.path = way.path ~ '[' ~ step['value'] ~ ']' -%}
        {%- else -%}
            {%- set found = spark_variant_at(way.value, way.path) -%}
            {%- set way.value = spark_json_in_text(found) if step['kind'] == 'text'
                else spark_attribute(found, step['value']) -%}
            {%- set way.path = '' -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set found = spark_variant_at(way.value, way.path) -%}
    {%- if way.value == value -%}
        {{ spark_variant_text(found) }}
    {%- else -%}
        {#- written once: its text names it five times -#}
        get(transform(array({{ found }}), found -> {{ spark_variant_text('found') }}), 0)
    {%- endif -%}
{%- endmacro %}

{#- The variant at a path in another one. -#}
{% macro spark_variant_at(value, path) -%}
    {{ 'try_variant_get(' ~ value ~ ", '$" ~ path ~ "', 'variant')" if path else value }}
{%- endmacro %}

{#-
    Numbers as they were written, as far as the rules look at them: a variant forgets the .0 of 12.0,
    which is a decimal and no whole number, and puts quotes around what no double holds (1e400).
-#}
{% macro spark_variant_text(value) -%}
    {%- set text = 'to_json(' ~ value ~ ')' -%}
    case regexp_extract(schema_of_variant({{ value }}), '^([A-Z]*)', 1)
        when 'VOID' then cast(null as string)
        when 'DOUBLE' then replace(replace({{ text }}, '"', ''), 'Infinity', '1e999')
        when 'DECIMAL'
            then {{ text }} || case when try_cast({{ text }} as bigint) is null then '' else '.0' end
        else {{ text }}
    end
{%- endmacro %}

{#- The JSON that a text holds; a value that is no text stays as it is. -#}
{% macro spark_json_in_text(value) -%}
    try_parse_json(
        case
            when schema_of_variant({{ value }}) = 'STRING' then try_variant_get({{ value }}, '$', 'string')
            else to_json({{ value }})
        end
    )
{%- endmacro %}

{#- The first value of a key; a whole number stands as a text or as a number. -#}
{% macro spark_attribute(attributes, key) -%}
    get(
        transform(
            filter(
                from_json(to_json({{ attributes }}), 'array<struct<key string, value variant>>'),
                pair -> pair.key = '{{ key }}'
            ),
            pair -> coalesce(
                try_variant_get(pair.value, '$.stringValue', 'variant'),
                try_parse_json(try_variant_get(pair.value, '$.intValue', 'string')),
                try_variant_get(pair.value, '$.doubleValue', 'variant'),
                try_variant_get(pair.value, '$.boolValue', 'variant'),
                try_parse_json(to_json(transform(
                    from_json(
                        to_json(try_variant_get(pair.value, '$.arrayValue.values', 'variant')),
                        'array<struct<stringValue string>>'
                    ),
                    word -> word.stringValue
                )))
            )
        ),
        0
    )
{%- endmacro %}

{% macro spark__json_records(text, each, from_line) -%}
    case
        {%- for place in each %}
        when size({{ spark_records_at(text, place, from_line) }}) > 0
            then {{ spark_records_at(text, place, from_line) }}
        {%- endfor %}
        else {{ spark__record_of_line(text, from_line) }}
    end
{%- endmacro %}

{% macro spark__record_of_line(text, from_line) -%}
    array(named_struct(
        'record', {{ text }}
        {%- for path in from_line %}, 'outer_{{ loop.index }}', cast(null as string){% endfor -%}
    ))
{%- endmacro %}

{#- The records of the lists at one place: names of lists, each in an object of the one before. -#}
{% macro spark_records_at(text, place, from_line) -%}
    {%- set names = place.split('[]')[:-1] | map('replace', '.', '') | list -%}
    {%- set is_list = names == [''] -%}
    case
        when left(trim({{ text }}), 1) = '{{ "[" if is_list else "{" }}'
            then {{ spark_items(
                'from_json(' ~ text ~ ", 'array<string>')" if is_list
                else 'from_json(' ~ text ~ ", '" ~ spark_structure(names, 0, from_line) ~ "')." ~ names[0],
                names, 0, from_line, text
            ) }}
    end
{%- endmacro %}

{#-
    The members of the object at a level: what paths from the line need of it, and the next list.
-#}
{% macro spark_structure(names, level, from_line) -%}
    {%- set above = names[:level] | join('[].') ~ ('[].' if level else '') -%}
    {%- for name in spark_outer_names(above, from_line) -%}{{ name }} variant, {% endfor -%}
    {{ names[level] }} array<
    {%- if level + 1 < names | length -%}
        struct<{{ spark_structure(names, level + 1, from_line) }}>
    {%- else -%}
        string
    {%- endif -%}
    >
{%- endmacro %}

{#- The members of an object that paths from the line begin with there. -#}
{% macro spark_outer_names(above, from_line) %}
    {% set names = [] %}
    {% for path in from_line
        if path[1:].startswith(above) and '[]' not in path[1 + above | length:] %}
        {% do names.append(path_steps(path[1 + above | length:])[0]['value']) %}
    {% endfor %}
    {{ return(names | unique | list) }}
{% endmacro %}

{#- The records below a list, level by level. -#}
{% macro spark_items(list, names, level, from_line, text) -%}
    {%- set item = 'item_' ~ level -%}
    {%- if level + 1 < names | length -%}
        flatten(transform({{ list }}, {{ item }} -> {{ spark_items(
            item ~ '.' ~ names[level + 1], names, level + 1, from_line, text
        ) }}))
    {%- else -%}
        transform({{ list }}, {{ item }} -> named_struct('record', {{ item }}
        {%- for path in from_line %},
        'outer_{{ loop.index }}', {{ spark_outer_value(path, names, level, text) }}
        {%- endfor -%}
        ))
    {%- endif -%}
{%- endmacro %}

{#- The value of a path from the line, of the innermost object that it goes through. -#}
{% macro spark_outer_value(path, names, level, text) -%}
    {%- set found = namespace(value='cast(null as string)') -%}
    {%- if '[]' not in path -%}
        {%- set steps = path_steps(path[1:]) -%}
        {%- set name = '`' ~ steps[0]['value'] ~ '`' -%}
        {%- set value = 'from_json(' ~ text ~ ", '" ~ name ~ " variant')." ~ name -%}
        {%- set found.value = spark_member_text(value, steps[1:]) -%}
    {%- endif -%}
    {%- for depth in range(1, level + 1) -%}
        {%- set above = names[:depth] | join('[].') ~ '[].' -%}
        {%- if path[1:].startswith(above) and '[]' not in path[1 + above | length:] -%}
            {%- set steps = path_steps(path[1 + above | length:]) -%}
            {%- set value = 'item_' ~ (depth - 1) ~ '.' ~ steps[0]['value'] -%}
            {%- set found.value = spark_member_text(value, steps[1:]) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ found.value }}
{%- endmacro %}

{% macro spark__json_text_at(text, path) -%}
    get_json_object({{ text }}, {{ spark_json_path(path) }})
{%- endmacro %}

{#- A name with dots stands in quotes in a path, and here in brackets. -#}
{% macro spark_json_path(path) -%}
    "${{ modules.re.sub('[.]"([^"]+)"', "['\\1']", '.' ~ path) }}"
{%- endmacro %}

{% macro spark__json_holds_one(text, paths) -%}
    (
        coalesce(
            {%- for path in paths %}
            {{ spark__json_text_at(text, path) }}{{ ',' if not loop.last }}
            {%- endfor %}
        ) is not null
    )
{%- endmacro %}

{% macro spark__json_has_envelope(text, names, paths) -%}
    (
        {%- for name in names %}
        {%- set member = json_text_at(text, name) %}
        case
            when left({{ member }}, 1) <> '{' then false
            when not {{ json_is_valid(member) }} then false
            else {{ json_holds_one(member, paths) }}
        end
        {{- ' or' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{% macro spark__form_visible_characters(content) -%}
    case
        when left({{ content }}, 1) = '['
            then cast(aggregate(
                from_json({{ content }}, 'array<struct<text string, thinking string, input string>>'),
                0,
                (total, block) -> total + coalesce(length(block.text), 0)
                    + coalesce(length(block.thinking), 0) + coalesce(length(block.input), 0)
            ) as string)
    end
{%- endmacro %}

{% macro spark__json_has_keys(text, names) -%}
    (
        {%- for name in names %}
        array_contains(json_object_keys({{ text }}), '{{ name }}'){{ ' and' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{% macro spark__json_sorted(json) -%}
    to_json(map_from_entries(array_sort(map_entries(from_json({{ json }}, 'map<string,string>')))))
{%- endmacro %}

{% macro spark__json_text(json) -%}
    get_json_object({{ json }}, '$')
{%- endmacro %}

{% macro spark__json_text_list(json) -%}
    from_json({{ json }}, 'array<string>')
{%- endmacro %}

{#- to_json takes structures only: {"v":"text"} without its frame. -#}
{% macro spark__json_quoted(text) -%}
    case
        when {{ text }} is not null
            then regexp_extract(to_json(named_struct('v', {{ text }})), '(?s)^.{5}(.*).$', 1)
    end
{%- endmacro %}
