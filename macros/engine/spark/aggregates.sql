{#- With n, over rows that each stand for n equal values. -#}
{% macro spark__quantiles(value, probabilities, n='1') -%}
    percentile({{ value }}, array({{ probabilities | join(', ') }}), {{ n }})
{%- endmacro %}

{#- percentile counts by itself, and spills. -#}
{% macro spark__stratum_quantiles(events, names, wanted, strata=none) %}
{%- set probabilities = wanted.values() | map('last') | unique | list -%}
quantiles as (
    select
        {{ names | join(', ') }},
        {%- for column, (measure, probability) in wanted.items() %}
        {%- set all_quantiles = spark__quantiles(measure, probabilities, 'n') %}
        {{ list_item(all_quantiles, probabilities.index(probability) + 1) }}
            as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ events }}
    {{ 'inner join ' ~ strata ~ ' on ' ~ events ~ '.cell_key = ' ~ strata ~ '.cell_key' if strata }}
    group by {{ names | join(', ') }}
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
