{#- Aggregate: the texts joined by ', ', sorted; null when there is none. -#}
{% macro joined_text(value) -%}
    {{ return(adapter.dispatch('joined_text', 'tokenest')(value)) }}
{%- endmacro %}

{% macro duckdb__joined_text(value) -%}
    string_agg({{ value }}, ', ' order by {{ value }})
{%- endmacro %}
