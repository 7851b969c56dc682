{#-
    After the `as` of a CTE: it is computed anew wherever it is read. DuckDB keeps as a whole, in
    memory, what is read again after a part of it was grouped or joined; reading a table again is
    cheaper. Most engines read again anyway.
-#}
{% macro inlined() -%}
    {{ return(adapter.dispatch('inlined', 'tokenest')()) }}
{%- endmacro %}

{% macro default__inlined() -%}
{%- endmacro %}

{% macro duckdb__inlined() -%}
    not materialized
{%- endmacro %}
