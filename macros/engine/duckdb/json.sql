{% macro duckdb__json_is_valid(text) -%}
    (json_valid({{ text }}) and not suffix({{ text }}, ',}') and not suffix({{ text }}, ', }'))
{%- endmacro %}

{% macro duckdb__json_key_count(text) -%}
    len(json_keys({{ text }}))
{%- endmacro %}

{% macro duckdb__json_has_duplicate_keys(text) -%}
    (len(json_keys({{ text }})) <> list_unique(json_keys({{ text }})))
{%- endmacro %}

{% macro duckdb__json_record(text, names) -%}
    from_json({{ text }}, '{
        {%- for name in names -%}"{{ name }}":"JSON"{{ ',' if not loop.last }}{%- endfor -%}
    }')
{%- endmacro %}

{#- A null at the end of a path is a JSON null there, and none at the first step. -#}
{% macro duckdb__json_member(record, path) -%}
    {%- set name = first_step(path) -%}
    {%- set member = "struct_extract(" ~ record ~ ", '" ~ name ~ "')" -%}
    {%- if path == name -%}
        cast({{ member }} as varchar)
    {%- else -%}
        nullif(cast(json_extract({{ member }}, '${{ path[name | length:] }}') as varchar), 'null')
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__json_has_keys(text, names) -%}
    list_has_all(json_keys({{ text }}), [{{ text_literals(names) }}])
{%- endmacro %}

{% macro duckdb__json_sorted(json) -%}
    '{' || array_to_string(
        list_transform(
            list_sort(json_keys({{ json }})),
            lambda name:
                '"' || name || '":' || cast(json_extract({{ json }}, '$.' || name) as varchar)
        ),
        ','
    ) || '}'
{%- endmacro %}

{% macro duckdb__json_text(json) -%}
    json_extract_string({{ json }}, '$')
{%- endmacro %}

{% macro duckdb__json_text_list(json) -%}
    from_json({{ json }}, '["VARCHAR"]')
{%- endmacro %}

{% macro duckdb__json_quoted(text) -%}
    cast(to_json({{ text }}) as varchar)
{%- endmacro %}
