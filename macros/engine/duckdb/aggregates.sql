{% macro duckdb__quantiles(value, probabilities) -%}
    quantile_cont({{ value }}, [{{ probabilities | join(', ') }}])
{%- endmacro %}

{% macro duckdb__stratum_quantiles(events, names, strata, wanted, flags=[]) %}
{%- set keys = (strata[0]['labels'].keys() | list + names) | join(', ') -%}
{%- set ranks = [] -%}
{%- for probability in wanted.values() | map('last') | unique -%}
    {%- do ranks.append(quantile_ranks(probability)) -%}
{%- endfor -%}
counted as {{ inlined() }} (
    {{ counted_values(events, names + flags, wanted.values() | map('first') | unique) }}
),

{{ ranked_values(names, strata, ranks, flags) }},

quantiles as (
    select
        {{ keys }},
        {%- for column, (measure, probability) in wanted.items() %}
        {{ counted_quantile(probability, measure) }} as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from ranked
    group by {{ keys }}
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
