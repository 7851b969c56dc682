{#-
    Writes exports.coefficients to coefficients.ndjson in TOKENEST_EXPORTS: a header, then a
    coefficient a line, in the order of the key. Runs at the end of `dbt build`, and only when
    nothing of that build failed and the tests of the model were part of it: what is in the
    file has been tested. The file is replaced as a whole. A host has the table alone.
-#}
{% macro export_coefficients(results) %}
    {% if not execute or flags.WHICH != 'build' or is_guest() %}{{ return('') }}{% endif %}
    {% set model = results | selectattr('node.name', 'equalto', 'coefficients')
        | selectattr('status', 'equalto', 'success') | list %}
    {% set failed = [] %}
    {% set tests = [] %}
    {% for result in results %}
        {% if result.status in ['error', 'fail', 'runtime error'] %}
            {% do failed.append(result) %}
        {% endif %}
        {% if result.node.attached_node == 'model.tokenest.coefficients' %}
            {% do tests.append(result) %}
        {% endif %}
    {% endfor %}
    {% if not model %}
        {{ return('') }}
    {% elif failed or not tests %}
        {% do log('coefficients.ndjson was not written: '
            ~ (failed | length ~ ' step(s) of the build failed' if failed else 'its tests were left out'), info=true) %}
        {{ return('') }}
    {% endif %}
    {% set path = env_var('TOKENEST_EXPORTS', 'exports') ~ '/coefficients.ndjson' %}
    {% do write_lines(coefficient_lines(model[0].node.relation_name), path) %}
    {% do log('wrote ' ~ path, info=true) %}
{% endmacro %}

{#- Query: the lines of the file (position, line), the header first. -#}
{% macro coefficient_lines(relation) %}
    with

    coefficients as (
        select
            row_number() over (
                order by
                {%- for column in coefficient_key_columns() %}
                    {{ column }} asc nulls first{{ ',' if not loop.last }}
                {%- endfor %}
            ) as line_position,
            '{' || concat_ws(
                ','
                {%- for column in coefficient_columns() %},
                '"{{ column["name"] }}":' ||
                {%- if column['type'] == 'string' %} {{ json_quoted(column['name']) }}
                {%- elif column['type'] == 'json' %} {{ column['name'] }}
                {%- elif column['type'] == 'double' %} {{ plain_number(column['name']) }}
                {%- else %} cast({{ column['name'] }} as string)
                {%- endif %}
                {%- endfor %}
            ) || '}' as line
        from {{ relation }}
    ),

    header as (
        select
            '{"kind":"header","format_version":2,"coefficients_id":"'
            || left({{ sha256_of_lines('line', 'line_position') }}, 16)
            || '","levels":["{{ (var("labels") + ["estimate_bin", "model", "input_bin"]) | join("\",\"") }}"],"rows":'
            || cast(count(*) as string) || '}' as line
        from coefficients
    )

    select
        0 as line_position,
        line
    from header
    union all
    select
        line_position,
        line
    from coefficients
{% endmacro %}

{#-
    A double as text without exponent or trailing zeros, at most six decimals: the same on every
    engine.
-#}
{% macro plain_number(value) -%}
    {%- set digits = 'cast(cast(' ~ value ~ ' as decimal(28, 6)) as string)' -%}
    {{ trimmed(trimmed(digits, '0', 'trailing'), '.', 'trailing') }}
{%- endmacro %}
