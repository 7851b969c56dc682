{#- Stops a run whose variables are not of the kind that the SQL expects. -#}
{% macro check_vars() %}
    {% set numbers = [
        'max_line_bytes', 'max_rejected_text', 'max_whole_number', 'under_multiplier',
        'stub_max_tokens', 'min_samples', 'confidence_threshold', 'increase_above', 'decrease_below',
        'interval_z',
    ] %}
    {% for name in numbers if var(name) is not number or var(name) < 0 %}
        {% do exceptions.raise_compiler_error(
            'var ' ~ name ~ ' is ' ~ var(name) ~ '; it must be a number of at least 0'
        ) %}
    {% endfor %}
{% endmacro %}
