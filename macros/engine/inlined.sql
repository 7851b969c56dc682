{#- After the `as` of a CTE: it is computed anew wherever it is read, where keeping it costs more. -#}
{% macro inlined() -%}
    {{ return(adapter.dispatch('inlined', 'tokenest')()) }}
{%- endmacro %}

{#- Most engines do so anyway. -#}
{% macro default__inlined() -%}
{%- endmacro %}

{% macro duckdb__inlined() -%}
    not materialized
{%- endmacro %}
