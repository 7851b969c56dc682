{% macro postgres__quantiles(value, probabilities) -%}
    (percentile_cont(array[{{ probabilities | join(', ') }}]) within group (order by {{ value }}))
{%- endmacro %}

{% macro postgres__sha256_of_lines(line, position) -%}
    encode(sha256(convert_to(string_agg({{ line }} || chr(10), '' order by {{ position }}), 'UTF8')), 'hex')
{%- endmacro %}
