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

{#- A relation with one row per item of a list column: item and item_no in the place of the list. -#}
{% macro numbered_items(relation, list) -%}
    {{ return(adapter.dispatch('numbered_items', 'tokenest')(relation, list)) }}
{%- endmacro %}

{% macro duckdb__numbered_items(relation, list) -%}
    select
        * exclude ({{ list }}),
        unnest({{ list }}) as item,
        unnest(range(1, len({{ list }}) + 1)) as item_no
    from {{ relation }}
{%- endmacro %}
