{% macro spark__list_size(list) -%}
    cast(array_size({{ list }}) as bigint)
{%- endmacro %}

{% macro spark__list_item(list, position) -%}
    element_at({{ list }}, {{ position }})
{%- endmacro %}

{% macro spark__list_has_any(list, values) -%}
    arrays_overlap({{ list }}, array({{ text_literals(values) }}))
{%- endmacro %}

{% macro spark__unnest_list(list) -%}
    explode({{ list }})
{%- endmacro %}

{% macro spark__list_as_json(list) -%}
    to_json({{ list }})
{%- endmacro %}

{% macro spark__numbered_items(relation, list) -%}
    select
        {{ relation }}.*,
        item,
        cast(item_position + 1 as bigint) as item_no
    from {{ relation }}
    lateral view posexplode({{ list }}) as item_position, item
{%- endmacro %}
