{% macro spark__lands_files() %}
    {{ return(true) }}
{% endmacro %}

{#-
    Makes telemetry.files, the listing of the globs, anew: Spark remembers a listing that it has
    made. The last part of a glob names files, `**` before it all folders below; the rest is a
    Hadoop glob. Files without a byte are not listed, as always with Spark.
-#}
{% macro spark__list_telemetry() %}
    {% if not execute or flags.WHICH not in ['build', 'run'] %}{{ return('') }}{% endif %}
    {% set files = source('telemetry', 'files') %}
    {% do run_query('create schema if not exists ' ~ files.schema) %}
    {% set selects = [] %}
    {% for glob in telemetry_globs() | map(attribute='glob') %}
        {% if not glob.startswith('/') and '://' not in glob %}
            {% do exceptions.raise_compiler_error(
                "TOKENEST_TELEMETRY names '" ~ glob ~ "'; Spark needs absolute paths or URLs"
            ) %}
        {% endif %}
        {% set folder, name = glob.rsplit('/', 1) %}
        {% set table = files.schema ~ '.contents_' ~ loop.index %}
        {% do run_query('drop table if exists ' ~ table) %}
        {% do run_query(
            'create table ' ~ table ~ ' using binaryFile options (path '
            ~ text_literals([folder.split('/**')[0]]) ~ ', pathGlobFilter ' ~ text_literals([name])
            ~ ", recursiveFileLookup '" ~ ('/**' in folder) ~ "')"
        ) %}
        {% do selects.append(
            "select regexp_replace(path, '^file:/+', '/') as filename, length as size,"
            ~ ' modificationTime as last_modified, content from ' ~ table
        ) %}
    {% endfor %}
    {% do run_query('create or replace view ' ~ files ~ ' as ' ~ selects | join(' union all ')) %}
{% endmacro %}

{#- The tables of list_telemetry(), one a glob. -#}
{% macro spark__matching_files(glob) -%}
    {%- set table = source('telemetry', 'files').schema ~ '.contents_'
        ~ (telemetry_globs() | map(attribute='glob') | list).index(glob) + 1 -%}
    (select regexp_replace(path, '^file:/+', '/') as filename from {{ table }})
{%- endmacro %}

{#-
    Whole files as bytes. A file that is not UTF-8 as a whole is split as Latin-1, in which each byte
    is a character, and read line by line.
-#}
{% macro spark__telemetry_lines(files, documents) %}
    select
        source_file,
        file_path,
        file_bytes,
        modified_at,
        first_line_md5,
        has_open_tail,
        landed_bytes,
        landed_md5,
        line_no,
        line_no = last_line_no as is_last,
        line_no = piece_count as is_tail,
        is_text or {{ spark_decoded('piece') }} is not null as is_utf8,
        false as is_prose,
        {{ spark_line_text('piece') }} as line_text
    from (
        select
            files.source_file,
            contents.*,
            files.landed_lines - cast(files.has_torn_tail as int) as landed_lines,
            size(pieces) as piece_count,
            element_at(pieces, -1) <> '' as has_open_tail,
            md5({{ spark_line_text('pieces[0]') }}) as first_line_md5,
            size(pieces)
            - case when {{ var('final') | lower }} and element_at(pieces, -1) <> '' then 0 else 1 end as last_line_no
        from ({{ spark_contents(files | map(attribute='file_path') | list) }}) as contents
        inner join ({{ files_as_rows(files) }}) as files
            on contents.file_path = files.file_path
    )
    lateral view posexplode(pieces) as position, piece
    lateral view explode(array(cast(position + 1 as bigint))) as line_no
    where line_no > landed_lines and line_no <= last_line_no
{% endmacro %}

{% macro spark__matched_contents(paths, candidates) %}
    select candidates.*
    from (
        select
            filename as file_path,
            content,
            md5(split(make_valid_utf8(cast(content as string)), '\n')[0]) as first_line_md5
        from {{ source('telemetry', 'files') }}
        where filename in ({{ text_literals(paths) if paths else "''" }})
    ) as files
    inner join ({{ candidates }}) as candidates
        on files.file_path = candidates.file_path
    where
        case
            when not candidates.is_own and files.first_line_md5 <> candidates.first_line_md5 then false
            else md5(substring(files.content, 1, cast(candidates.landed_bytes as int))) = candidates.landed_md5
        end
{% endmacro %}

{#-
    One row per file, with its lines as a list; is_text: they are text and not Latin-1. Its bytes stay
    here: what is joined to them would carry them to every line.
-#}
{% macro spark_contents(paths) %}
    select
        file_path,
        file_bytes,
        modified_at,
        whole is not null as is_text,
        case
            when whole is not null then split(whole, '\n')
            else split({{ spark_latin_text('content') }}, '\n')
        end as pieces,
        landed_bytes,
        md5(substring(content, 1, cast(landed_bytes as int))) as landed_md5
    from (
        select
            *,
            -- less what follows the last newline
            file_bytes - case
                when {{ var('final') | lower }} then 0
                when whole is not null then octet_length(substring_index(whole, '\n', -1))
                else length(substring_index({{ spark_latin_text('content') }}, '\n', -1))
            end as landed_bytes
        from (
            select
                filename as file_path,
                size as file_bytes,
                last_modified as modified_at,
                content,
                try_validate_utf8(cast(content as string)) as whole
            from {{ source('telemetry', 'files') }}
            where filename in ({{ text_literals(paths) if paths else "''" }})
        )
    )
{% endmacro %}

{#- Bytes as text of one character each. -#}
{% macro spark_latin_text(bytes) -%}
    decode({{ bytes }}, 'ISO-8859-1')
{%- endmacro %}

{#- The text of a line in Latin-1; null when its bytes are not UTF-8. -#}
{% macro spark_decoded(piece) -%}
    try_validate_utf8(cast(encode({{ piece }}, 'ISO-8859-1') as string))
{%- endmacro %}

{#-
    A line that is not UTF-8 reads as DuckDB writes bytes: \xE9, and so for quotes and backslashes.
-#}
{% macro spark_line_text(piece) -%}
    case
        when is_text then {{ piece }}
        else coalesce(
            {{ spark_decoded(piece) }},
            array_join(
                transform(
                    split(
                        trim(regexp_replace(hex(encode({{ piece }}, 'ISO-8859-1')), '(..)', '$1 ')), ' '
                    ),
                    byte -> case
                        when byte between '20' and '7E' and byte not in ('22', '27', '5C')
                            then chr(cast(conv(byte, 16, 10) as int))
                        else '\\x' || byte
                    end
                ),
                ''
            )
        )
    end
{%- endmacro %}

{% macro spark__file_heads(paths) %}
    select
        source_file,
        line_no,
        line_text,
        is_object,
        case
            when is_object
                then array_join(
                    slice(
                        filter(
                            json_object_keys(line_text),
                            name -> regexp_like(name, '^[A-Za-z_.]{1,40}$')
                        ),
                        1, {{ named_members() }}
                    ),
                    ', '
                )
        end as member_names
    from (
        select
            source_file,
            cast(position + 1 as bigint) as line_no,
            rtrim(chr(13), piece) as line_text,
            case
                when position < {{ head_lines() }} and regexp_like(piece, '^\\s*[{]')
                    then
                        json_object_keys(piece) is not null
                        and {{ spark__json_is_valid('rtrim(chr(13), piece)') }}
                else false
            end as is_object
        from (
            select
                filename as source_file,
                split(
                    regexp_replace(
                        make_valid_utf8(
                            cast(substring(content, 1, {{ var('max_line_bytes') }}) as string)
                        ),
                        '^\\x{FEFF}',
                        ''
                    ),
                    '\n'
                ) as pieces
            from {{ source('telemetry', 'files') }}
            where filename in ({{ text_literals(paths) if paths else "''" }})
        )
        lateral view posexplode(pieces) as position, piece
    )
{% endmacro %}
