{#- With n, over rows that each stand for n equal values. -#}
{% macro spark__quantiles(value, probabilities, n='1') -%}
    percentile({{ value }}, array({{ probabilities | join(', ') }}), {{ n }})
{%- endmacro %}

{#- percentile counts by itself, and spills. -#}
{% macro spark__stratum_quantiles(events, names, strata, wanted, flags=[]) %}
{%- set probabilities = wanted.values() | map('last') | unique | list -%}
quantiles as (
    {% for stratum in strata %}
        select
            {{ stratum_columns(stratum, names) }}
            {%- for column, (measure, probability) in wanted.items() %}
            {%- set all_quantiles = spark__quantiles(measure, probabilities, 'n') %}
            {{ list_item(all_quantiles, probabilities.index(probability) + 1) }}
                as {{ column }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ events }}
        where {{ stratum.get('where', 'true') }}
        {{ group_by_columns(stratum['columns']) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
)
{%- endmacro %}

{% macro spark__value_of_largest(value, measure) -%}
    max_by(
        {{ value }},
        case when {{ value }} is not null and {{ measure }} is not null then struct({{ measure }}, {{ value }}) end
    )
{%- endmacro %}

{% macro spark__sha256_of_lines(line, position) -%}
    sha2(listagg({{ line }} || chr(10), '') within group (order by {{ position }}), 256)
{%- endmacro %}
