{#- One row per item of a list, as the only such column of a select; an empty list gives no row. -#}
{% macro unnest_list(list) -%}
    {{ return(adapter.dispatch('unnest_list', 'tokenest')(list)) }}
{%- endmacro %}

{% macro duckdb__unnest_list(list) -%}
    unnest({{ list }})
{%- endmacro %}

{#- A list of text as JSON. -#}
{% macro list_as_json(list) -%}
    {{ return(adapter.dispatch('list_as_json', 'tokenest')(list)) }}
{%- endmacro %}

{% macro duckdb__list_as_json(list) -%}
    cast(to_json({{ list }}) as string)
{%- endmacro %}
