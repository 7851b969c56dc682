{#-
    Aggregate: the value of the row whose measure is largest, of equal ones the largest value.
    Rows without a value or a measure do not count.
-#}
{% macro value_of_largest(value, measure) -%}
    {{ return(adapter.dispatch('value_of_largest', 'tokenest')(value, measure)) }}
{%- endmacro %}

{% macro duckdb__value_of_largest(value, measure) -%}
    max_by(
        {{ value }},
        case when {{ value }} is not null and {{ measure }} is not null then row({{ measure }}, {{ value }}) end
    )
{%- endmacro %}
