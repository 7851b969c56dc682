{% macro duckdb__list_size(list) -%}
    len({{ list }})
{%- endmacro %}

{% macro duckdb__list_item(list, position) -%}
    {{ list }}[{{ position }}]
{%- endmacro %}

{% macro duckdb__list_has_any(list, values) -%}
    list_has_any({{ list }}, [{{ text_literals(values) }}])
{%- endmacro %}

{% macro duckdb__numbered_items(relation, list) -%}
    select
        * exclude ({{ list }}),
        unnest({{ list }}) as item,
        unnest(range(1, len({{ list }}) + 1)) as item_no
    from {{ relation }}
{%- endmacro %}
