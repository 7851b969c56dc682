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

{% macro spark__json_record(text, names) -%}
    from_json(
        {{ text }},
        '{% for name in names %}{{ name }} variant{{ ', ' if not loop.last }}{% endfor %}',
        {{ spark_json_options() }}
    )
{%- endmacro %}

{#-
    Numbers as they were written, as far as the rules look at them: a variant forgets the .0 of 12.0,
    which is a decimal and no whole number, and puts quotes around what no double holds (1e400).
-#}
{% macro spark__json_member(record, path) -%}
    {%- set name = first_step(path) -%}
    {%- set value = record ~ '.' ~ name -%}
    {%- if path != name -%}
        {%- set rest = path[name | length:] -%}
        {%- set value = 'try_variant_get(' ~ value ~ ", '$" ~ rest ~ "', 'variant')" -%}
    {%- endif -%}
    {%- set text = 'to_json(' ~ value ~ ')' -%}
    case regexp_extract(schema_of_variant({{ value }}), '^([A-Z]*)', 1)
        when 'VOID' then cast(null as string)
        when 'DOUBLE' then replace(replace({{ text }}, '"', ''), 'Infinity', '1e999')
        when 'DECIMAL'
            then {{ text }} || case when try_cast({{ text }} as bigint) is null then '' else '.0' end
        else {{ text }}
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
