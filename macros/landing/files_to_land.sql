{#-
    The files of a source to open, as a list of dictionaries: source_file (the content, under whose
    name its lines land), file_path, landed_lines, has_torn_tail. A file is opened when it is new, when
    its size or its time is another than when it was last read or, with `final`, while it ends in a
    line without a newline. What it holds then is told by the md5 of what had landed.
-#}
{% macro files_to_land(source) %}
    {% if not execute or flags.WHICH not in ['build', 'run'] %}{{ return([]) }}{% endif %}
    {% set listing = ref('base_telemetry__files') %}
    {% set compared = run_query(files_to_compare(listing, source)) %}
    {% set paths = compared.columns[0].values() | unique | list %}
    {% set files = [] %}
    {% for file in run_query(contents_of_files(listing, source, paths)).rows %}
        {% do files.append({
            'source_file': file['source_file'],
            'file_path': file['file_path'],
            'landed_lines': file['landed_lines'],
            'has_torn_tail': file['has_torn_tail'],
        }) %}
    {% endfor %}
    {{ return(files) }}
{% endmacro %}

{#-
    The CTEs `landed`, `touched` (the files of a source that are not as they were last read, with the
    content that was there then, null for a new one) and `candidates`: which landed content each of
    these may hold. That is the one that was there, or one whose own place has changed or is gone,
    since files are renamed and copied as they are rotated.
-#}
{% macro candidate_steps(listing, source) %}
landed as (
    {{ landed_contents(this) }}
),

touched as (
    select
        files.source_file as file_path,
        files.file_bytes,
        landed.source_file as landed_content
    from {{ listing }} as files
    left join landed
        on files.source_file = landed.file_path and landed.is_newest
    where
        files.source_name = '{{ source }}'
        and (
            (landed.source_file is null and files.file_bytes > 0)
            or files.file_bytes <> landed.file_bytes
            or files.modified_at <> landed.modified_at
            or ({{ var('final') | lower }} and landed.has_open_tail)
        )
),

untouched as (
    select files.source_file
    from {{ listing }} as files
    where files.source_file not in (select touched.file_path from touched)
),

candidates as (
    select
        touched.file_path,
        coalesce(touched.landed_content = landed.source_file, false) as is_own,
        landed.source_file,
        landed.landed_lines,
        landed.file_bytes,
        landed.landed_bytes,
        landed.landed_md5,
        landed.first_line_md5,
        landed.has_torn_tail
    from touched
    inner join landed
        on
            touched.landed_content = landed.source_file
            or not landed.is_newest
            or landed.file_path not in (select untouched.source_file from untouched)
)
{% endmacro %}

{#- Query: the files to compare with what has landed, and with what of it; by path. -#}
{% macro files_to_compare(listing, source) %}
    {% if is_incremental() %}
    with

    {{ candidate_steps(listing, source) }}

    select
        file_path,
        is_own,
        source_file,
        landed_lines,
        coalesce(landed_bytes, file_bytes) as landed_bytes,
        landed_md5,
        has_torn_tail
    from candidates
    order by file_path, source_file
    {% else %}
    select cast(null as string) as file_path
    where false
    {% endif %}
{% endmacro %}

{#-
    Query: the files to land, by path. A content lands once, wherever it is now: of several places of it
    the one where it was counts, else the first by name. A file that holds no content that has landed
    is a content of its own, and so is one that was written anew: under the path, and the number of
    the landing where the path alone is taken.
-#}
{% macro contents_of_files(listing, source, paths) %}
    {% set number = "'#" ~ this_landing_no() ~ "'" %}
    {% if is_incremental() %}
    with

    {{ candidate_steps(listing, source) }},

    matches as (
        select
            *,
            row_number() over (
                partition by file_path
                order by case when is_own then 0 else 1 end asc, landed_lines desc, source_file asc
            ) as match_no
        from ({{ matched_contents(paths, 'select * from candidates') }})
    ),

    held as (
        select
            file_path,
            source_file,
            row_number() over (
                partition by source_file
                order by case when is_own then 0 else 1 end asc, file_path asc
            ) as place_no
        from matches
        where match_no = 1
    )

    select
        touched.file_path,
        case
            when held.source_file is not null then held.source_file
            when {{ is_taken('touched.file_path', source) }} then touched.file_path || {{ number }}
            else touched.file_path
        end as source_file,
        coalesce(landed.landed_lines, 0) as landed_lines,
        coalesce(
            landed.has_torn_tail
            and touched.file_bytes > coalesce(landed.landed_bytes, landed.file_bytes),
            false
        ) as has_torn_tail
    from touched
    left join held
        on touched.file_path = held.file_path and held.place_no = 1
    left join landed
        on held.source_file = landed.source_file
    order by touched.file_path
    {% else %}
    select
        source_file as file_path,
        case
            when {{ is_taken('source_file', source) }} then source_file || {{ number }}
            else source_file
        end as source_file,
        0 as landed_lines,
        false as has_torn_tail
    from {{ listing }}
    where source_name = '{{ source }}' and file_bytes > 0
    order by file_path
    {% endif %}
{% endmacro %}

{#-
    Boolean: no content that the source lands can have this path for its name: it ends in a number, or
    is the name of another content, of whichever source. What note_files() deletes leaves its name.
-#}
{% macro is_taken(path, source) -%}
    ({{ has_landing_no(path) }} or {{ path }} in (
        select names.content
        from ({{ landed_places() }}) as names
        where names.is_sure or names.source_name = '{{ source }}' or names.source_file <> names.content
    ))
{%- endmacro %}

{#- Boolean: the name ends as that of a content which was not the first of its path. -#}
{% macro has_landing_no(path) -%}
    {{ regex_test(path, '#[0-9]+$') }}
{%- endmacro %}

{#-
    Text: who wrote a file: the recorder that numbered it, whose name is that of the file without the
    number; of other files the path.
-#}
{% macro producer_of(source_file) -%}
    {{ regex_replace_all(source_file, '(-[0-9]{4})?[.]ndjson(#[0-9]+)?$', '') }}
{%- endmacro %}

{#- How the name of a packed file ends, as a pattern. -#}
{% macro packed_pattern() %}{{ return('(?i)[.](gz|zst)$') }}{% endmacro %}

{#- Boolean: a file of this name is packed. It is complete, and so is its last line. -#}
{% macro is_packed(path) -%}
    {{ regex_test(path, packed_pattern()) }}
{%- endmacro %}

{#- The path where a content is: an older version noted none, and it is where it was found. -#}
{% macro place_of_content() -%}
    coalesce(file_path, source_file)
{%- endmacro %}

{#- The path where a content was first found. -#}
{% macro path_of_content(source_file) -%}
    {{ regex_replace_all(source_file, '#[0-9]+$', '') }}
{%- endmacro %}

{#-
    One row per content that has landed: where it is, how far it has landed, and how the file looked
    then. What a landing saw of a file stands on the last line that it landed from it.
    is_newest: no later content was at that place.
-#}
{% macro landed_contents(relation) %}
    select
        *,
        row_number() over (partition by file_path order by landing_no desc, source_file desc) = 1
            as is_newest
    from (
        select
            source_file,
            max_by({{ place_of_content() }}, line_no) as file_path,
            max(line_no) as landed_lines,
            max(landing_no) as landing_no,
            max_by(file_bytes, line_no) as file_bytes,
            max_by(landed_bytes, line_no) as landed_bytes,
            max_by(landed_md5, line_no) as landed_md5,
            max_by(modified_at, line_no) as modified_at,
            max_by(first_line_md5, line_no) as first_line_md5,
            max_by(has_open_tail, line_no) as has_open_tail,
            bool_or(coalesce(reject_reason = 'torn_tail', false)) as has_torn_tail
        from {{ relation }}
        where file_bytes is not null
        group by source_file
    )
{% endmacro %}

{#- The files to land as rows. -#}
{% macro files_as_rows(files) %}
    {% for file in files -%}
    select
        {{ text_literals([file['source_file']]) }} as source_file,
        {{ text_literals([file['file_path']]) }} as file_path,
        {{ file['landed_lines'] }} as landed_lines,
        {{ file['has_torn_tail'] | string | lower }} as has_torn_tail
    {{ 'union all' if not loop.last }}
    {% else -%}
    select
        cast(null as string) as source_file,
        cast(null as string) as file_path,
        0 as landed_lines,
        false as has_torn_tail
    where false
    {% endfor %}
{% endmacro %}

{#-
    A pre-hook, in the transaction of the landing. A tail that landed as torn and was completed since
    lands again as a whole line; where a file is now and how it looks is noted on its last line, whether
    or not more lines land. What the first source has landed of a file that is another's goes.
-#}
{% macro note_files(source) %}
    {% if execute and is_incremental() %}
        {% set files = files_to_land(source) %}
        {% if files %}
            {% set statements = [note_landed(this, ref('base_telemetry__files'), files)] %}
            {% set first = relation_named('base_' ~ var('sources')[0] ~ '__lines') %}
            {% if source != var('sources')[0] and first in landed_relations() %}
                {% set of_others %}
                source_file in (
                    select places.content
                    from ({{ places_of(first, var('sources')[0]) }}) as places
                    where
                        not places.is_sure
                        and places.source_file in (select files.file_path from ({{ files_as_rows(files) }}) as files)
                )
                {%- endset %}
                {% do statements.append(delete_rows(first, of_others)) %}
            {% endif %}
            {{ statements | map('trim') | select | join(';\n') }}
        {% endif %}
    {% endif %}
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

{#-
    The base_<source>__lines that are there, of all sources. What was there once in a run is not looked
    for again: the answers are kept with the graph, for all models of the run.
-#}
{% macro landed_relations() %}
    {% if not execute %}{{ return([]) }}{% endif %}
    {% set there = graph.setdefault('landed_relations ' ~ invocation_id, {}) %}
    {% set found = [] %}
    {% for source in var('sources') %}
        {% if source not in there %}
            {% set lines = relation_named('base_' ~ source ~ '__lines') %}
            {% if load_relation(lines) %}{% do there.update({source: lines}) %}{% endif %}
        {% endif %}
        {% if source in there %}{% do found.append(there[source]) %}{% endif %}
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
