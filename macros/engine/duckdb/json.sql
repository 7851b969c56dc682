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

{% macro duckdb__json_member(record, name) -%}
    cast(struct_extract({{ record }}, '{{ name }}') as varchar)
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
