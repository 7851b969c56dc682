{#-
    The files of a source that hold lines which have not landed, as a list of dictionaries:
    path, landed_lines, has_torn_tail. A file is opened when it is new, has grown, was modified
    since it landed or, with `final`, still ends in a line without a newline.
    A file that shrank, or whose first line changed, is named and set aside.
-#}
{% macro files_to_land(source) %}
    {% if not execute or flags.WHICH not in ['build', 'run'] %}{{ return([]) }}{% endif %}
    {% set to_open = [] %}
    {% for file in run_query(changed_files(ref('base_telemetry__files'), source)).rows %}
        {% if file['what_happened'] %}
            {% do set_aside_as_changed(file['source_file'], file['what_happened']) %}
        {% else %}
            {% do to_open.append({
                'path': file['source_file'],
                'landed_lines': file['landed_lines'],
                'first_line_md5': file['first_line_md5'],
                'has_torn_tail': file['has_torn_tail'],
            }) %}
        {% endif %}
    {% endfor %}
    {% set replaced = files_with_another_first_line(
        to_open | selectattr('first_line_md5') | list, holds_documents(source)
    ) %}
    {{ return(to_open | rejectattr('path', 'in', replaced) | list) }}
{% endmacro %}

{#-
    Query: the files of a source that are not as they landed, by name, so that every build opens them
    in one order. what_happened is null for those that may have more lines.
-#}
{% macro changed_files(relation, source) %}
    {% if is_incremental() %}
    select
        files.source_file,
        coalesce(landed.landed_lines, 0) as landed_lines,
        landed.first_line_md5,
        coalesce(landed.has_torn_tail and files.file_bytes > landed.file_bytes, false) as has_torn_tail,
        case
            when files.file_bytes < landed.file_bytes
                then
                    'shrank from ' || cast(landed.file_bytes as string)
                    || ' to ' || cast(files.file_bytes as string) || ' bytes'
        end as what_happened
    from {{ relation }} as files
    left join ({{ landed_files(this) }}) as landed
        on files.source_file = landed.source_file
    where
        files.source_name = '{{ source }}'
        and (
            landed.source_file is null
            or files.file_bytes <> landed.file_bytes
            or files.modified_at <> landed.modified_at
            {% if var('final') %}or landed.has_open_tail{% endif %}
        )
    order by files.source_file
    {% else %}
    select
        source_file,
        0 as landed_lines,
        cast(null as string) as first_line_md5,
        false as has_torn_tail,
        cast(null as string) as what_happened
    from {{ relation }}
    where source_name = '{{ source }}'
    order by source_file
    {% endif %}
{% endmacro %}

{#-
    One row per file that has landed: how far, and how the file looked then. What a landing saw of
    a file stands on the last line that it landed from it.
-#}
{% macro landed_files(relation) %}
    select
        source_file,
        max(line_no) as landed_lines,
        max(file_bytes) as file_bytes,
        max(modified_at) as modified_at,
        max(first_line_md5) as first_line_md5,
        max_by(has_open_tail, line_no) as has_open_tail,
        bool_or(coalesce(reject_reason = 'torn_tail', false)) as has_torn_tail
    from {{ relation }}
    where file_bytes is not null
    group by source_file
{% endmacro %}

{#-
    Landings are numbered, so that what is built on the lines can take up the new ones alone: one
    sequence over all sources, in which each landing of a source takes the next number.
-#}
{% macro this_landing_no() %}
    {{ return(last_landing() + 1) }}
{% endmacro %}

{#- The newest number of all sources; 0 before the first landing. -#}
{% macro last_landing() %}
    {% set newest = [] %}
    {% for relation in landed_relations() %}
        {% do newest.append(
            'select max(landing_no) as landing_no from ' ~ relation ~ ' where file_bytes is not null'
        ) %}
    {% endfor %}
    {% if not execute or not newest %}{{ return(0) }}{% endif %}
    {{ return(run_query(
        'select coalesce(max(landing_no), 0) as landing_no from (' ~ newest | join(' union all ') ~ ')'
    ).rows[0]['landing_no'] | int) }}
{% endmacro %}

{#- The base_<source>__lines that are there, of all sources. -#}
{% macro landed_relations() %}
    {% if not execute %}{{ return([]) }}{% endif %}
    {% set found = [] %}
    {% for source in var('sources') %}
        {% set lines = relation_named('base_' ~ source ~ '__lines') %}
        {% if load_relation(lines) %}{% do found.append(lines) %}{% endif %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}

{#-
    Whether a file of the source may be one JSON value (`documents` in the meta of its base model).
-#}
{% macro holds_documents(source) %}
    {% set lines = graph.nodes['model.tokenest.base_' ~ source ~ '__lines'] %}
    {{ return(lines.config.meta.get('documents', false)) }}
{% endmacro %}

{#- Paths of files of which the first line is not the one that landed: each is set aside. -#}
{% macro files_with_another_first_line(files, documents) %}
    {% set replaced, now = [], {} %}
    {% if files %}
        {% set paths = files | map(attribute='path') | list %}
        {% for file in run_query(first_line_md5s(paths, documents)).rows %}
            {% do now.update({file['source_file']: file['first_line_md5']}) %}
        {% endfor %}
    {% endif %}
    {% for file in files if now.get(file['path']) != file['first_line_md5'] %}
        {% do set_aside_as_changed(file['path'], 'no longer begins with the line that landed') %}
        {% do replaced.append(file['path']) %}
    {% endfor %}
    {{ return(replaced) }}
{% endmacro %}

{#- Warns of a file that is not append-only. -#}
{% macro set_aside_as_changed(path, what_happened) %}
    {% do set_aside(
        path,
        'it ' ~ what_happened ~ '. What had landed stays. Files are append-only:'
        ~ ' restore it, or give the new content a name of its own'
    ) %}
{% endmacro %}

{#-
    A tail that landed as torn and was completed since lands again as a whole line. Runs as a
    pre-hook, in the transaction of the landing.
-#}
{% macro forget_completed_tails(source) %}
    {% if execute and is_incremental() %}
        {% set completed = files_to_land(source) | selectattr('has_torn_tail') | list %}
        {% if completed %}
            {{ delete_rows(
                this,
                "reject_reason = 'torn_tail' and source_file in (" ~ paths_of(completed) ~ ')',
            ) }}
        {% endif %}
    {% endif %}
{% endmacro %}

{#- The paths of files to land, as literals. -#}
{% macro paths_of(files) %}
    {{ return(text_literals(files | map(attribute='path') | list)) }}
{% endmacro %}
