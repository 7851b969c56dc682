{% macro duckdb__quantiles(value, probabilities) -%}
    quantile_cont({{ value }}, [{{ probabilities | join(', ') }}])
{%- endmacro %}

{% macro duckdb__value_of_largest(value, measure) -%}
    max_by(
        {{ value }},
        case when {{ value }} is not null and {{ measure }} is not null then row({{ measure }}, {{ value }}) end
    )
{%- endmacro %}
