{#- first_line_md5 and has_open_tail come before unnest: once a file, not once a line. -#}
{% macro duckdb__telemetry_lines(files) %}
    select
        source_file,
        file_bytes,
        modified_at,
        first_line_md5,
        has_open_tail,
        line_no,
        line_no = last_line_no as is_last,
        line_no = piece_count as is_tail,
        text is not null as is_utf8,
        coalesce(text, escaped_piece) as line_text
    from (
        select
            *,
            {{ duckdb__line_as_text('piece', 'escaped_piece') }} as text
        from (
        select
            * exclude (pieces, escaped_pieces),
            unnest(range(1, piece_count + 1)) as line_no,
            unnest(pieces) as piece,
            unnest(escaped_pieces) as escaped_piece
        from (
            select
                split.* exclude (first_line),
                landed.landed_lines,
                md5(split.first_line) as first_line_md5,
                {% if var('final') -%}
                    split.piece_count - case when split.has_open_tail then 0 else 1 end
                {%- else -%}
                    split.piece_count - 1
                {%- endif %} as last_line_no
            from ({{ duckdb__split_files(files | map(attribute='path') | list) }}) as split
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
                on split.source_file = landed.source_file
        )
        )
    )
    where line_no > landed_lines and line_no <= last_line_no
{% endmacro %}

{% macro duckdb__first_line_md5s(paths) %}
    select
        source_file,
        md5(first_line) as first_line_md5
    from ({{ duckdb__split_files(paths) }})
{% endmacro %}

{#-
    One row per file, with its lines as a list. One bad byte costs one line: a file that is not
    UTF-8 as a whole is split twice, with a question mark for each bad byte and with all bytes
    escaped (\x0A). One reader uses one thread, so there are as many readers as threads.
-#}
{% macro duckdb__split_files(paths) %}
    {%- set readers = 1 -%}
    {%- if paths -%}
        {%- set readers = run_query("select current_setting('threads') as n").rows[0]['n'] | int -%}
    {%- endif %}
    select
        *,
        coalesce(escaped_pieces[piece_count], pieces[piece_count]) <> '' as has_open_tail,
        coalesce({{ duckdb__line_as_text('pieces[1]', 'escaped_pieces[1]') }}, escaped_pieces[1])
            as first_line
    from (
        select
            * exclude (pieces),
            coalesce(len(escaped_pieces), len(pieces)) as piece_count,
            -- a newline in the midst of a character was replaced too: no piece is in its place
            case when len(pieces) = coalesce(len(escaped_pieces), len(pieces)) then pieces end
                as pieces
        from (
        select
            source_file,
            file_bytes,
            modified_at,
            string_split(coalesce(whole, decode(content, 'replace')), chr(10)) as pieces,
            case when whole is null then string_split(cast(content as varchar), '\x0A') end
                as escaped_pieces
        from (
            {% for reader in range(readers) -%}
            {%- set own_paths = paths[reader::readers] -%}
            {%- if own_paths or loop.first %}
            {{ 'union all' if not loop.first }}
            select
                filename as source_file,
                size as file_bytes,
                cast(last_modified as timestamp) as modified_at,
                content,
                try(decode(content)) as whole
            from {{ duckdb__blobs(own_paths) }}
            {% endif -%}
            {%- endfor %}
        )
        )
    )
{% endmacro %}

{#- The line as it stands in the file; null when it is not UTF-8. -#}
{% macro duckdb__line_as_text(piece, escaped_piece) -%}
    case
        when {{ escaped_piece }} is null or not contains({{ piece }}, '?') then {{ piece }}
        else try(decode(cast({{ escaped_piece }} as blob)))
    end
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

{% macro duckdb__file_heads(paths) %}
    select
        source_file,
        line_no,
        line_text,
        case
            when line_no <= 50 and starts_with(ltrim(line_text, {{ "chr(65279) || ' ' || chr(9)" }}), '{')
                then json_valid(line_text)
            else false
        end as is_object
    from (
        select
            source_file,
            unnest(range(1, len(pieces) + 1)) as line_no,
            rtrim(unnest(pieces), chr(13)) as line_text
        from (
            select
                filename as source_file,
                string_split(decode(content[1:{{ var('max_line_bytes') }}], 'replace'), chr(10)) as pieces
            from {{ duckdb__blobs(paths) }}
        )
    )
{% endmacro %}
