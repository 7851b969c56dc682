{#- A backslash in a literal escapes, as on Spark. -#}
{% macro snowflake__text_literals(values) -%}
    {{ spark__text_literals(values) }}
{%- endmacro %}
