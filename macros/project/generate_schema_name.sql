{#- Schemas carry the plain names that readers use: marts.scores, not main_marts.scores. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
