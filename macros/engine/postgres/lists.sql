{% macro postgres__list_item(list, position) -%}
    ({{ list }})[{{ position }}]
{%- endmacro %}

{% macro postgres__list_has_any(list, values) -%}
    ({{ list }} && array[{{ text_literals(values) }}])
{%- endmacro %}

{% macro postgres__list_as_json(list) -%}
    cast(array_to_json({{ list }}) as text)
{%- endmacro %}
