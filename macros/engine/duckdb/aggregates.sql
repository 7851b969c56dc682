{% macro duckdb__quantiles(value, probabilities) -%}
    quantile_cont({{ value }}, [{{ probabilities | join(', ') }}])
{%- endmacro %}

{% macro duckdb__stratum_quantiles(events, names, wanted, strata=none) %}
{%- set measures = wanted.values() | map('first') | unique -%}
{%- set ranks = [] -%}
{%- for probability in wanted.values() | map('last') | unique -%}
    {%- do ranks.append(quantile_ranks(probability)) -%}
{%- endfor -%}
counted as {{ inlined() }} (
    {{ counted_values(events, ['cell_key'] if strata else names, measures) }}
),

{{ ranked_values(names, ranks, strata) }},

quantiles as (
    select
        {{ names | join(', ') }},
        {%- for column, (measure, probability) in wanted.items() %}
        {{ counted_quantile(probability, measure) }} as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from ranked
    group by {{ names | join(', ') }}
)
{%- endmacro %}

{% macro duckdb__value_of_largest(value, measure) -%}
    max_by(
        {{ value }},
        case when {{ value }} is not null and {{ measure }} is not null then row({{ measure }}, {{ value }}) end
    )
{%- endmacro %}

{% macro duckdb__sha256_of_lines(line, position) -%}
    sha256(string_agg({{ line }} || chr(10), '' order by {{ position }}))
{%- endmacro %}
