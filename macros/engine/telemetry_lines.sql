{#-
    Reads whole files as bytes and gives one row per line, numbered from 1: source_file,
    file_bytes, modified_at, first_line_md5, has_open_tail, line_no, is_tail (no newline ends
    it), is_utf8 and line_text (with \x escapes when it is not).
    One bad byte costs one line: a file that does not decode as a whole is split as escaped
    text and decoded line by line. Lines that have landed, and a last line still being
    written (unless `final`), are left out.
-#}
{% macro telemetry_lines(files) -%}
    {{ return(adapter.dispatch('telemetry_lines', 'tokenest')(files)) }}
{%- endmacro %}

{% macro duckdb__telemetry_lines(files) %}
    select
        source_file,
        file_bytes,
        modified_at,
        first_line_md5,
        has_open_tail,
        line_no,
        line_no = piece_count as is_tail,
        is_text or try(decode(cast(piece as blob))) is not null as is_utf8,
        case when is_text then piece else {{ duckdb__decoded('piece') }} end as line_text
    from (
        select
            * exclude (pieces),
            len(pieces) as piece_count,
            pieces[len(pieces)] <> '' as has_open_tail,
            md5({{ duckdb__decoded('pieces[1]') }}) as first_line_md5,
            generate_subscripts(pieces, 1) as line_no,
            unnest(pieces) as piece
        from (
            select
                contents.source_file,
                contents.file_bytes,
                contents.modified_at,
                landed.landed_lines,
                contents.whole is not null as is_text,
                {{ duckdb__pieces('contents') }} as pieces
            from (
                select
                    filename as source_file,
                    size as file_bytes,
                    cast(last_modified as timestamp) as modified_at,
                    content,
                    try(decode(content)) as whole
                from {{ duckdb__blobs(files | map(attribute='path') | list) }}
            ) as contents
            inner join (
                {% for file in files -%}
                    select
                        {{ text_literals([file['path']]) }} as source_file,
                        {{ file['landed_lines'] - (1 if file.get('has_torn_tail') else 0) }}
                            as landed_lines
                    {{ 'union all' if not loop.last }}
                {% else -%}
                    select null as source_file, 0 as landed_lines
                {% endfor %}
            ) as landed
                on contents.source_file = landed.source_file
        )
    )
    where
        line_no > landed_lines
        and (line_no < piece_count {%- if var('final') %} or piece <> ''{% endif %})
{% endmacro %}

{#- The md5 of the first line of each of the files. -#}
{% macro first_line_md5s(paths) -%}
    {{ return(adapter.dispatch('first_line_md5s', 'tokenest')(paths)) }}
{%- endmacro %}

{% macro duckdb__first_line_md5s(paths) %}
    select
        source_file,
        md5({{ duckdb__decoded('pieces[1]') }}) as first_line_md5
    from (
        select
            source_file,
            whole is not null as is_text,
            {{ duckdb__pieces('contents') }} as pieces
        from (
            select
                filename as source_file,
                content,
                try(decode(content)) as whole
            from {{ duckdb__blobs(paths) }}
        ) as contents
    )
{% endmacro %}

{#- Lines as text, or escaped (\x0A) when the file as a whole is not UTF-8. -#}
{% macro duckdb__pieces(files) -%}
    case
        when {{ files }}.whole is not null then string_split({{ files }}.whole, chr(10))
        else string_split(cast({{ files }}.content as varchar), '\x0A')
    end
{%- endmacro %}

{% macro duckdb__decoded(piece) -%}
    coalesce(case when is_text then {{ piece }} else try(decode(cast({{ piece }} as blob))) end, {{ piece }})
{%- endmacro %}

{#- read_blob takes globs: each special character of a name stands in brackets of its own. -#}
{% macro duckdb__blobs(paths) -%}
    {%- set literal_paths = [] -%}
    {%- for path in paths -%}
        {%- do literal_paths.append(modules.re.sub('([*?[])', '[\\1]', path)) -%}
    {%- endfor -%}
    {%- if paths -%}
        read_blob([{{ text_literals(literal_paths) }}])
    {%- else -%}
        (
            select
                '' as filename, ''::blob as content, 0::bigint as size,
                timestamp '1970-01-01' as last_modified
            where false
        )
    {%- endif -%}
{%- endmacro %}
