{% macro json_quoted(text) -%}
    {{ return(adapter.dispatch('json_quoted', 'tokenest')(text)) }}
{%- endmacro %}

{% macro duckdb__json_quoted(text) -%}
    cast(to_json({{ text }}) as varchar)
{%- endmacro %}

{#- Aggregate: sha256, in hexadecimal, of the lines in their order, each with its newline. -#}
{% macro sha256_of_lines(line, position) -%}
    {{ return(adapter.dispatch('sha256_of_lines', 'tokenest')(line, position)) }}
{%- endmacro %}

{% macro duckdb__sha256_of_lines(line, position) -%}
    sha256(string_agg({{ line }} || chr(10), '' order by {{ position }}))
{%- endmacro %}

{#- Writes the lines of a query (line_position, line) to a file, which is replaced as a whole. -#}
{% macro write_lines(query, path) -%}
    {{ return(adapter.dispatch('write_lines', 'tokenest')(query, path)) }}
{%- endmacro %}

{% macro duckdb__write_lines(query, path) %}
    {% do run_query(
        "copy (select line from (" ~ query ~ ") order by line_position) to " ~ text_literals([path])
        ~ " (format csv, header false, quote '', escape '', delimiter '\x1f', use_tmp_file true)"
    ) %}
{% endmacro %}
