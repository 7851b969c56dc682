{#- Aggregate: exact quantiles, interpolated between neighbours, as a list, in one pass. -#}
{% macro quantiles(value, probabilities) -%}
    {{ return(adapter.dispatch('quantiles', 'tokenest')(value, probabilities)) }}
{%- endmacro %}

{% macro duckdb__quantiles(value, probabilities) -%}
    quantile_cont({{ value }}, [{{ probabilities | join(', ') }}])
{%- endmacro %}

{#- Columns of a query that groups: {column: (measure, probability)}, those of a measure at once. -#}
{% macro engine_quantiles(wanted) -%}
    {%- set probabilities = wanted.values() | map('last') | unique | list -%}
    {%- for column, (measure, probability) in wanted.items() %}
    {{ list_item(quantiles(measure, probabilities), probabilities.index(probability) + 1) }} as {{ column }}
    {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- The item of a list, counted from 1. -#}
{% macro list_item(list, position) -%}
    {{ return(adapter.dispatch('list_item', 'tokenest')(list, position)) }}
{%- endmacro %}

{% macro duckdb__list_item(list, position) -%}
    {{ list }}[{{ position }}]
{%- endmacro %}

{#- Whether a list of text holds one of the values. -#}
{% macro list_has_any(list, values) -%}
    {{ return(adapter.dispatch('list_has_any', 'tokenest')(list, values)) }}
{%- endmacro %}

{% macro duckdb__list_has_any(list, values) -%}
    list_has_any({{ list }}, [{{ text_literals(values) }}])
{%- endmacro %}
