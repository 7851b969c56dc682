{#- True for one well-formed JSON value. DuckDB lets a trailing comma pass; JSON does not. -#}
{% macro json_is_valid(text) -%}
    {{ return(adapter.dispatch('json_is_valid', 'tokenest')(text)) }}
{%- endmacro %}

{% macro duckdb__json_is_valid(text) -%}
    (json_valid({{ text }}) and not suffix({{ text }}, ',}') and not suffix({{ text }}, ', }'))
{%- endmacro %}

{#- How many members the object has, those of one name each for itself. -#}
{% macro json_key_count(text) -%}
    {{ return(adapter.dispatch('json_key_count', 'tokenest')(text)) }}
{%- endmacro %}

{% macro duckdb__json_key_count(text) -%}
    len(json_keys({{ text }}))
{%- endmacro %}

{% macro json_has_duplicate_keys(text) -%}
    {{ return(adapter.dispatch('json_has_duplicate_keys', 'tokenest')(text)) }}
{%- endmacro %}

{% macro duckdb__json_has_duplicate_keys(text) -%}
    (len(json_keys({{ text }})) <> list_unique(json_keys({{ text }})))
{%- endmacro %}

{#-
    The members of a JSON object, in one parse, each as its own JSON text: 12, 12.7, "12" and
    true stay apart. Absent members and nulls are null. To be read with json_member().
-#}
{% macro json_record(text, names) -%}
    {{ return(adapter.dispatch('json_record', 'tokenest')(text, names)) }}
{%- endmacro %}

{% macro duckdb__json_record(text, names) -%}
    from_json({{ text }}, '{
        {%- for name in names -%}"{{ name }}":"JSON"{{ ',' if not loop.last }}{%- endfor -%}
    }')
{%- endmacro %}

{#- The member that a path leads to: a name, or usage.output_tokens, or choices[0].finish_reason. -#}
{% macro json_member(record, path) -%}
    {{ return(adapter.dispatch('json_member', 'tokenest')(record, path)) }}
{%- endmacro %}

{#- A null at the end of a path is a JSON null there, and none at the first step. -#}
{% macro duckdb__json_member(record, path) -%}
    {%- set name = first_step(path) -%}
    {%- if path == name -%}
        cast(struct_extract({{ record }}, '{{ name }}') as varchar)
    {%- else -%}
        nullif(cast(json_extract(struct_extract({{ record }}, '{{ name }}'), '${{ path[name | length:] }}') as varchar), 'null')
    {%- endif -%}
{%- endmacro %}

{#- True when the object has a member of each of the names. -#}
{% macro json_has_keys(text, names) -%}
    {{ return(adapter.dispatch('json_has_keys', 'tokenest')(text, names)) }}
{%- endmacro %}

{% macro duckdb__json_has_keys(text, names) -%}
    list_has_all(json_keys({{ text }}), [{{ text_literals(names) }}])
{%- endmacro %}

{#- An object of texts as JSON text with its names in order. -#}
{% macro json_sorted(json) -%}
    {{ return(adapter.dispatch('json_sorted', 'tokenest')(json)) }}
{%- endmacro %}

{% macro duckdb__json_sorted(json) -%}
    '{' || array_to_string(
        list_transform(
            list_sort(json_keys({{ json }})),
            lambda name: '"' || name || '":' || cast(json_extract({{ json }}, '$.' || name) as varchar)
        ),
        ','
    ) || '}'
{%- endmacro %}

{#- "a\"b" as JSON text gives a"b. -#}
{% macro json_text(json) -%}
    {{ return(adapter.dispatch('json_text', 'tokenest')(json)) }}
{%- endmacro %}

{% macro duckdb__json_text(json) -%}
    json_extract_string({{ json }}, '$')
{%- endmacro %}

{#- ["a","b"] as JSON text gives a list of text. -#}
{% macro json_text_list(json) -%}
    {{ return(adapter.dispatch('json_text_list', 'tokenest')(json)) }}
{%- endmacro %}

{% macro duckdb__json_text_list(json) -%}
    from_json({{ json }}, '["VARCHAR"]')
{%- endmacro %}
