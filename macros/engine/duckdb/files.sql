{% macro duckdb__inlined() -%}
    not materialized
{%- endmacro %}

{% macro duckdb__delete_rows(relation, condition) -%}
    delete from {{ relation }}
    where {{ condition }}
{%- endmacro %}

{% macro duckdb__list_telemetry() %}{% endmacro %}

{% macro duckdb__limit_file_access() %}
    {% if execute and flags.WHICH in ['build', 'run', 'seed', 'test'] %}
        {% set exports = env_var('TOKENEST_EXPORTS', 'exports') %}
        {% do duckdb__make_folder(exports) %}
        {% set folders = [exports ~ '/'] %}
        {% for glob in telemetry_globs() %}
            {% do folders.append(duckdb__folder_of(glob['glob'])) %}
        {% endfor %}
        {% for seed in graph.nodes.values() | selectattr('resource_type', 'equalto', 'seed') %}
            {% set folder = duckdb__folder_of(seed.original_file_path) %}
            {% do folders.append(seed.root_path ~ '/' ~ folder) %}
        {% endfor %}
        {% do run_query('set allowed_directories = [' ~ text_literals(folders | unique) ~ ']') %}
        {# a link that leads out may be listed: it is set aside, and not read #}
        {% set links = fromjson(env_var('TOKENEST_SET_ASIDE', '{}')) %}
        {% do run_query('set allowed_paths = [' ~ text_literals(links) ~ ']') %}
        {% do run_query('set enable_external_access = false') %}
    {% endif %}
{% endmacro %}

{#- The folder that everything a glob can match lies in: what stands before its first pattern. -#}
{% macro duckdb__folder_of(glob) -%}
    {%- set fixed = modules.re.split('[*?[]', glob)[0] -%}
    {{- return(fixed.rpartition('/')[0] ~ '/' if '/' in fixed else './') -}}
{%- endmacro %}

{#- An empty partitioned copy makes a folder, and nothing in it. -#}
{% macro duckdb__make_folder(path) %}
    {% set names = path.rstrip('/').split('/') %}
    {% for name in names if name %}
        {% do run_query(
            'copy (select 1 as a, 1 as b where false) to '
            ~ text_literals([names[:loop.index + (path.startswith('/') | int)] | join('/')])
            ~ ' (format csv, partition_by (a), overwrite_or_ignore)'
        ) %}
    {% endfor %}
{% endmacro %}

{% macro duckdb__write_lines(query, path) %}
    {% do run_query(
        "copy (select line from (" ~ query ~ ") order by line_position) to " ~ text_literals([path])
        ~ " (format csv, header false, quote '', escape '', delimiter '\x1f', use_tmp_file true)"
    ) %}
{% endmacro %}
