{% macro duckdb__quantiles(value, probabilities) -%}
    quantile_cont({{ value }}, [{{ probabilities | join(', ') }}])
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
