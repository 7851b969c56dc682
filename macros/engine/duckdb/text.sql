{#- By its own word: dbt-duckdb takes a struct apart into columns. -#}
{% macro duckdb__relation_columns(relation) %}
    {% set columns = {} %}
    {% for row in run_query('describe select * from ' ~ relation).rows %}
        {% do columns.update({row['column_name'].lower(): {
            'quoted': adapter.quote(row['column_name']),
            'type': row['column_type'].lower(),
            'is_text': row['column_type'] == 'VARCHAR',
        }}) %}
    {% endfor %}
    {{ return(columns) }}
{% endmacro %}

{% macro duckdb__is_text(path) -%}
    try(decode(encode({{ path }}))) is not null
{%- endmacro %}

{% macro duckdb__path_as_text(path) -%}
    coalesce(try(decode(encode({{ path }}))), cast(encode({{ path }}) as varchar))
{%- endmacro %}

{% macro duckdb__regex_test(text, pattern) -%}
    regexp_matches({{ text }}, '{{ pattern }}')
{%- endmacro %}

{% macro duckdb__regex_test_by(text, pattern) -%}
    regexp_matches({{ text }}, {{ pattern }})
{%- endmacro %}

{% macro duckdb__text_ends_with(text, ending) -%}
    suffix({{ text }}, {{ ending }})
{%- endmacro %}

{% macro duckdb__byte_length(text) -%}
    strlen({{ text }})
{%- endmacro %}

{% macro duckdb__utc_timestamp(text) -%}
    cast(try_cast({{ text }} as timestamptz) at time zone 'UTC' as timestamp)
{%- endmacro %}

{% macro duckdb__time_of_micros(micros) -%}
    strftime(make_timestamp({{ micros }}), '%Y-%m-%dT%H:%M:%S.%fZ')
{%- endmacro %}
