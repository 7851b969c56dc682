{#- Statement that deletes the rows of a table for which the condition holds. -#}
{% macro delete_rows(relation, condition) -%}
    {{ return(adapter.dispatch('delete_rows', 'tokenest')(relation, condition)) }}
{%- endmacro %}

{% macro duckdb__delete_rows(relation, condition) -%}
    delete from {{ relation }}
    where {{ condition }}
{%- endmacro %}
