{#-
    Postgres 15 cannot ask whether a text is JSON. A guest asks it of labels and lists, which have to be
    an object or a list of texts; what is none is not read as one. Postgres has no texts with \u0000 or
    with half a pair of surrogates.
-#}
{% macro postgres__json_is_valid(text) -%}
    {%- set pair = '\\\\u[dD][89abAB][0-9a-fA-F]{2}\\\\u[dD][c-fC-F][0-9a-fA-F]{2}' -%}
    {%- set escape = '\\\\(["\\\\/bfnrt]|u(?!0000|[dD][89a-fA-F])[0-9a-fA-F]{4})' -%}
    {%- set word = '"([^"\\\\[:cntrl:]]|' ~ escape ~ '|' ~ pair ~ ')*"' -%}
    {%- set blank = '[ \t\r\n]*' -%}
    {%- set one = blank ~ word ~ blank -%}
    {%- set member = one ~ ':' ~ one -%}
    {%- set object = '[{](' ~ member ~ '(,' ~ member ~ ')*|' ~ blank ~ ')[}]' -%}
    {%- set list = '[[](' ~ one ~ '(,' ~ one ~ ')*|' ~ blank ~ ')[]]' -%}
    ({{ text }} ~ '^{{ blank }}({{ object }}|{{ list }}){{ blank }}$')
{%- endmacro %}

{% macro postgres__json_record(text, tree) -%}
    cast({{ text }} as jsonb)
{%- endmacro %}

{% macro postgres__json_member(record, path, tree) -%}
    nullif(cast({{ record }} #> array[{{ text_literals(path_steps(path) | map(attribute='value') | list) }}] as text), 'null')
{%- endmacro %}

{#- json keeps a name that stands twice; jsonb forgets one. -#}
{% macro postgres__json_has_duplicate_keys(text) -%}
    (select count(*) > count(distinct name) from json_object_keys(cast({{ text }} as json)) as name)
{%- endmacro %}

{% macro postgres__json_sorted(json) -%}
    (
        select '{' || coalesce(
            string_agg(
                cast(to_json(key) as text) || ':' || cast(
                    case when json_typeof(value) = 'string' then to_json(value #>> '{}') else value end as text
                ),
                ',' order by key collate "C"
            ),
            ''
        ) || '}'
        from json_each(cast({{ json }} as json))
    )
{%- endmacro %}

{% macro postgres__json_text(json) -%}
    cast({{ json }} as jsonb) #>> '{}'
{%- endmacro %}

{% macro postgres__json_text_list(json) -%}
    case when {{ json }} is not null then array(select jsonb_array_elements_text(cast({{ json }} as jsonb))) end
{%- endmacro %}

{% macro postgres__json_quoted(text) -%}
    cast(to_jsonb(cast({{ text }} as text)) as text)
{%- endmacro %}
