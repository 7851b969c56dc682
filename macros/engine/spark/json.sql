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

{% macro spark__json_member(record, steps, tree) -%}
    {{ spark_member_text(record ~ '.`' ~ steps[0]['value'] ~ '`', steps[1:]) }}
{%- endmacro %}

{#-
    What steps lead to from a variant, as JSON text. Numbers as they were written, as far as the
    rules look at them: a variant forgets the .0 of 12.0, which is a decimal and no whole number, and
    puts quotes around what no double holds (1e400).
-#}
{% macro spark_member_text(variant, steps) -%}
    {%- set way = namespace(value=variant, path='', text=none) -%}
    {%- for step in steps -%}
        {%- if step['kind'] == 'key' -%}
            {%- set way.text = spark_attribute(spark_variant_at(way.value, way.path), step['value']) -%}
            {%- set way.value, way.path = 'try_parse_json(' ~ way.text ~ ')', '' -%}
        {%- elif step['kind'] == 'text' -%}
            {%- set way.value = spark_json_in_text(spark_variant_at(way.value, way.path)) -%}
            {%- set way.path, way.text = '', none -%}
        {%- elif step['kind'] == 'item' -%}
            {%- set way.path, way.text = way.path ~ '[' ~ step['value'] ~ ']', none -%}
        {%- else -%}
            {%- set way.path, way.text = way.path ~ '["' ~ step['value'] ~ '"]', none -%}
        {%- endif -%}
    {%- endfor -%}
    {{ way.text if way.text is not none
        else spark_variant_text(spark_variant_at(way.value, way.path)) }}
{%- endmacro %}

{#- The variant at a path within a variant. -#}
{% macro spark_variant_at(variant, path) -%}
    {{ 'try_variant_get(' ~ variant ~ ", '$" ~ path ~ "', 'variant')" if path else variant }}
{%- endmacro %}

{#- A variant as JSON text; null for a JSON null. -#}
{% macro spark_variant_text(variant) -%}
    {%- set text = 'to_json(' ~ variant ~ ')' -%}
    case regexp_extract(schema_of_variant({{ variant }}), '^([A-Z]*)', 1)
        when 'VOID' then cast(null as string)
        when 'DOUBLE' then replace(replace({{ text }}, '"', ''), 'Infinity', '1e999')
        when 'DECIMAL'
            then {{ text }} || case when try_cast({{ text }} as bigint) is null then '' else '.0' end
        else {{ text }}
    end
{%- endmacro %}

{#- The JSON that a text holds; a value that is no text stays as it is. -#}
{% macro spark_json_in_text(variant) -%}
    case
        when schema_of_variant({{ variant }}) = 'STRING'
            then try_parse_json(try_variant_get({{ variant }}, '$', 'string'))
        else {{ variant }}
    end
{%- endmacro %}

{#-
    The first value of a key in a list of attributes, as JSON text; whole numbers stand there as
    texts.
-#}
{% macro spark_attribute(attributes, key) -%}
    {%- set found = 'get(filter(try_variant_get(' ~ attributes
        ~ ", '$', 'array<variant>'), pair -> "
        ~ "try_variant_get(pair, '$.key', 'string') = '" ~ key ~ "'), 0)" -%}
    coalesce(
        {%- for kind in ['stringValue', 'intValue', 'doubleValue', 'boolValue'] %}
        {%- set text = spark_variant_text(spark_variant_at(found, '.value.' ~ kind)) %}
        {{ 'replace(' ~ text ~ ", '\"', '')" if kind == 'intValue' else text }},
        {%- endfor %}
        '[' || array_join(
            transform(
                try_variant_get({{ found }}, '$.value.arrayValue.values', 'array<variant>'),
                word -> to_json(try_variant_get(word, '$.stringValue', 'variant'))
            ),
            ','
        ) || ']'
    )
{%- endmacro %}

{% macro spark__json_records(text, each, from_line) -%}
    case
        {%- for place in each %}
        {%- set lists = place.split('[]')[:-1] %}
        {%- set line = 'try_parse_json(' ~ text ~ ')' %}
        {%- set found = spark_items(line, text, lists, '', from_line, 0) %}
        when size({{ found }}) > 0 then {{ found }}
        {%- endfor %}
        else {{ spark__record_of_line(text, from_line) }}
    end
{%- endmacro %}

{#- The records below a variant, list by list; `path` is what led here from the line. -#}
{% macro spark_items(variant, line, lists, path, from_line, level) -%}
    {%- set names = lists[0].strip('.') -%}
    {%- set here = path ~ lists[0] ~ '[]' -%}
    {%- set item = 'item_' ~ level -%}
    {%- set items = 'try_variant_get(' ~ variant
        ~ ", '$" ~ ('.' ~ names if names else '') ~ "', 'array<variant>')" -%}
    {%- if lists | length > 1 -%}
        flatten(transform({{ items }}, {{ item }} -> {{ spark_items(item, line, lists[1:], here, from_line, level + 1) }}))
    {%- else -%}
        transform({{ items }}, {{ item }} -> named_struct(
            'record', to_json({{ item }})
            {%- for wanted in from_line %},
            'outer_{{ loop.index }}', {{ spark_outer_member(line, wanted[1:], here) }}
            {%- endfor %}
        ))
    {%- endif -%}
{%- endmacro %}

{#- A path from the line, looked up in the innermost item that it goes through, or in the line. -#}
{% macro spark_outer_member(line, path, here) -%}
    {%- set lists = path.split('[]')[:-1] -%}
    {%- if not lists -%}
        {{ spark_member_text('try_parse_json(' ~ line ~ ')', path_steps(path)) }}
    {%- elif here.startswith(lists | join('[]') ~ '[]') -%}
        {{ spark_member_text('item_' ~ (lists | length - 1), path_steps(path.split('[]')[-1])) }}
    {%- else -%}
        cast(null as string)
    {%- endif -%}
{%- endmacro %}

{% macro spark__record_of_line(text, from_line) -%}
    array(named_struct(
        'record', {{ text }}
        {%- for path in from_line %},
        'outer_{{ loop.index }}', cast(null as string)
        {%- endfor %}
    ))
{%- endmacro %}

{% macro spark__json_text_at(text, path) -%}
    get_json_object({{ text }}, '$.{{ path }}')
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
