{% macro duckdb__inlined() -%}
    not materialized
{%- endmacro %}

{#- A packed file has landed as a whole: its lines are complete. -#}
{% macro duckdb__note_landed(relation, listing, files) %}
    {%- set packed = is_packed('files.file_path') -%}
    delete from {{ relation }}
    where
        reject_reason = 'torn_tail'
        and source_file in (select files.source_file from ({{ files_as_rows(files) }}) as files where files.has_torn_tail);
    update {{ relation }} as landed
    set
        file_path = files.file_path,
        file_bytes = listed.file_bytes,
        modified_at = listed.modified_at,
        landed_bytes = case when {{ packed }} then listed.file_bytes else landed.landed_bytes end,
        has_open_tail = not {{ packed }} and listed.file_bytes > landed.landed_bytes
    from ({{ files_as_rows(files) }}) as files, {{ listing }} as listed
    where
        landed.source_file = files.source_file
        and landed.line_no = files.landed_lines
        and landed.file_bytes is not null
        and files.file_path = listed.source_file;
    update {{ relation }}
    set file_path = ''
    where
        file_bytes is not null
        and {{ place_of_content() }} in (select files.file_path from ({{ files_as_rows(files) }}) as files)
        and source_file not in (select files.source_file from ({{ files_as_rows(files) }}) as files)
{% endmacro %}

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
