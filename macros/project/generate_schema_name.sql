{#- Schemas carry the plain names that readers use: marts.accuracy, not main_marts.accuracy. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
