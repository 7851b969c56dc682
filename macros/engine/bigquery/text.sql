{#- A text as BigQuery reads it back: a backslash escapes there, a quote too. -#}
{% macro bigquery__text_literals(values) -%}
    {%- for value in values -%}
        '{{ value | replace('\\', '\\\\') | replace("'", "\\'") }}'{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
