{% macro duckdb__lands_files() %}
    {{ return(true) }}
{% endmacro %}

{#- What is of the file comes before unnest: once a file, not once a line. -#}
{% macro duckdb__telemetry_lines(files, documents) %}
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
        text is not null as is_utf8,
        is_shipped and text is not null and {{ duckdb__is_prose('text') }} as is_prose,
        case
            when is_shipped and text is not null then {{ duckdb__as_written('text') }}
            else coalesce(text, escaped_piece)
        end as line_text
    from (
        select
            *,
            coalesce(rejoined_piece, {{ duckdb__line_as_text('piece', 'escaped_piece') }}) as text
        from (
        select
            * exclude (pieces, escaped_pieces, rejoined),
            rejoined is not null or {{ duckdb__is_shipped('pieces') }} as is_shipped,
            unnest(range(1, piece_count + 1)) as line_no,
            unnest(pieces) as piece,
            unnest(escaped_pieces) as escaped_piece,
            unnest(string_split(rejoined, chr(10))) as rejoined_piece
        from (
            select
                split.* exclude (first_line, file_path, content, whole_bytes),
                files.source_file,
                files.file_path,
                files.landed_lines - cast(files.has_torn_tail as bigint) as landed_lines,
                md5(split.first_line) as first_line_md5,
                {{ duckdb__rejoined('split.first_line', 'array_to_string(split.pieces, chr(10))') }} as rejoined,
                coalesce(split.whole_bytes, split.file_bytes) as landed_bytes,
                {{ duckdb__landed_md5('split.content', 'split.whole_bytes', 'split.pieces', 'split.piece_count - 1') }}
                    as landed_md5,
                split.piece_count
                - case when {{ var('final') | lower }} and split.has_open_tail then 0 else 1 end as last_line_no
            from ({{ duckdb__split_files(files | map(attribute='file_path') | list, documents) }}) as split
            inner join ({{ files_as_rows(files) }}) as files
                on split.file_path = files.file_path
        )
        )
    )
    where line_no > landed_lines and line_no <= last_line_no
{% endmacro %}

{#- md5 of the first bytes of a file; of one that was packed, of its first lines. -#}
{% macro duckdb__landed_md5(content, bytes, pieces, lines) -%}
    case
        -- a slice is a copy
        when octet_length({{ content }}) = {{ bytes }} then md5({{ content }})
        when {{ content }} is not null then md5({{ content }}[1:{{ bytes }}])
        else md5(array_to_string({{ pieces }}[1:{{ lines }}], chr(10)) || chr(10))
    end
{%- endmacro %}

{#- One row per file: its bytes, the lines of a packed one, and the md5 of its first line. -#}
{% macro duckdb__files_with_first_line(paths) %}
    {%- set packed, plain = [], [] -%}
    {%- for path in paths -%}
        {%- do (packed if duckdb__is_packed(path) else plain).append(path) -%}
    {%- endfor %}
    select
        filename as file_path,
        size as file_bytes,
        content,
        cast(null as varchar[]) as pieces,
        md5(split_part(decode(content[1:{{ var('max_line_bytes') }}], 'replace'), chr(10), 1)) as first_line_md5
    from {{ duckdb__blobs(plain) }}
    {%- for path in packed %}
    union all
    select
        file_path,
        file_bytes,
        cast(null as blob) as content,
        pieces,
        md5(pieces[1]) as first_line_md5
    from ({{ duckdb__split_packed_file(path) }})
    {%- endfor %}
{% endmacro %}

{#- The size alone tells of what an older version landed: it knew no md5. -#}
{% macro duckdb__matched_contents(paths, candidates) %}
    select candidates.*
    from ({{ duckdb__files_with_first_line(paths) }}) as files
    inner join ({{ candidates }}) as candidates
        on files.file_path = candidates.file_path
    where
        case
            when candidates.landed_md5 is null then candidates.is_own and files.file_bytes >= candidates.file_bytes
            when not candidates.is_own and files.first_line_md5 <> candidates.first_line_md5 then false
            else {{ duckdb__landed_md5(
                'files.content', 'candidates.landed_bytes', 'files.pieces', 'candidates.landed_lines'
            ) }} = candidates.landed_md5
        end
{% endmacro %}

{#-
    One row per file, with its lines as a list. One bad byte costs one line: a file that is not
    UTF-8 as a whole is split twice, with a question mark for each bad byte and with all bytes
    escaped (\x0A). With `documents`, a file that is one JSON value, in one line without a newline or
    in several, is one line. One reader uses one thread, so there are as many readers as threads.
-#}
{% macro duckdb__split_files(all_paths, documents) %}
    {%- set packed = [] -%}
    {%- set paths = [] -%}
    {%- for path in all_paths -%}
        {%- do (packed if duckdb__is_packed(path) else paths).append(path) -%}
    {%- endfor -%}
    {%- set readers = 1 -%}
    {%- if paths -%}
        {%- set readers = duckdb__readers() -%}
    {%- endif %}
    select
        *,
        coalesce(escaped_pieces[piece_count], pieces[piece_count]) <> '' as has_open_tail,
        coalesce({{ duckdb__line_as_text('pieces[1]', 'escaped_pieces[1]') }}, escaped_pieces[1])
            as first_line,
        octet_length(content) - case
            when {{ var('final') | lower }} then 0
            else coalesce(octet_length(cast(escaped_pieces[piece_count] as blob)), strlen(pieces[piece_count]))
        end as whole_bytes
    from (
        select
            * exclude (pieces),
            coalesce(len(escaped_pieces), len(pieces)) as piece_count,
            -- a newline in the midst of a character was replaced too: no piece is in its place
            case when len(pieces) = coalesce(len(escaped_pieces), len(pieces)) then pieces end
                as pieces
        from (
        select
            file_path,
            file_bytes,
            modified_at,
            case
                {%- if documents %}
                when {{ duckdb__is_document('whole') }} then [whole, '']
                {%- endif %}
                when true then string_split(coalesce(whole, decode(content, 'replace')), chr(10))
            end as pieces,
            case when whole is null then string_split(cast(content as varchar), '\x0A') end
                as escaped_pieces,
            content
        from (
            {% for reader in range(readers) -%}
            {%- set own_paths = paths[reader::readers] -%}
            {%- if own_paths or loop.first %}
            {{ 'union all' if not loop.first }}
            select
                filename as file_path,
                size as file_bytes,
                cast(last_modified as timestamp) as modified_at,
                content,
                try(decode(content)) as whole
            from {{ duckdb__blobs(own_paths) }}
            {% endif -%}
            {%- endfor %}
        )
        {%- for path in packed %}
        union all
        select
            *,
            cast(null as blob) as content
        from ({{ duckdb__split_packed_file(path) }})
        {%- endfor %}
        )
    )
{% endmacro %}

{#- How many threads there are. -#}
{% macro duckdb__readers() %}
    {{ return(run_query("select current_setting('threads') as n").rows[0]['n'] | int) }}
{% endmacro %}

{#- True for a path of a compressed file. -#}
{% macro duckdb__is_packed(path) %}
    {{ return(modules.re.search(packed_pattern(), path) is not none) }}
{% endmacro %}

{#- A text without the byte order mark that it begins with. -#}
{% macro duckdb__without_mark(text) -%}
    regexp_replace({{ text }}, '^\x{FEFF}', '')
{%- endmacro %}

{#- True for one JSON value that is not told by its first line alone, or that no newline ends. -#}
{% macro duckdb__is_document(text) -%}
    case
        when not regexp_matches({{ text }}, '^\x{FEFF}?\s*[{\[]') then false
        when contains(rtrim({{ text }}, ' ' || chr(10) || chr(13)), chr(10))
            then
                not json_valid({{ duckdb__without_mark('string_split(' ~ text ~ ', chr(10))[1]') }})
                and json_valid({{ duckdb__without_mark(text) }})
        when contains({{ text }}, chr(10)) then false
        else json_valid({{ duckdb__without_mark(text) }})
    end
{%- endmacro %}

{#-
    A compressed file is read through the CSV reader, the only one that unpacks and takes any byte:
    as Latin-1, a character a byte. Lines are complete, the last one without a newline too.
-#}
{% macro duckdb__split_packed_file(path) %}
    select
        {{ text_literals([path]) }} as file_path,
        (select size from {{ duckdb__blobs([path]) }}) as file_bytes,
        (select cast(last_modified as timestamp) from {{ duckdb__blobs([path]) }}) as modified_at,
        list_append(list(decode(bytes, 'replace') order by line_no asc), '') as pieces,
        case
            when bool_or(try(decode(bytes)) is null)
                then list_append(list(cast(bytes as varchar) order by line_no asc), '')
        end as escaped_pieces
    from (
        select
            line_no,
            {{ duckdb__latin_bytes("coalesce(line, '')") }} as bytes
        from ({{ duckdb__packed_lines(path) }})
    )
{% endmacro %}

{#- The lines of a compressed file, as Latin-1, numbered from 1. -#}
{% macro duckdb__packed_lines(path) %}
    select
        line,
        row_number() over () as line_no
    from read_csv(
        [{{ text_literals([duckdb__literal_path(path)]) }}],
        columns = {'line': 'VARCHAR'}, auto_detect = false, header = false, delim = '', quote = '',
        escape = '', strict_mode = false, parallel = false, encoding = 'latin-1',
        max_line_size = {{ 32 * var('max_line_bytes') }}, buffer_size = {{ 64 * var('max_line_bytes') }}
    )
{% endmacro %}

{#-
    The bytes of a text that was read as Latin-1: of two bytes of UTF-8 the one that they stand for.
-#}
{% macro duckdb__latin_bytes(text) -%}
    {%- set way = namespace(escaped='cast(encode(' ~ text ~ ') as varchar)') -%}
    {%- for pattern, bytes in [
        ('xC2..x([89AB][0-9A-F])', 'y'), ('xC3..x8([0-9A-F])', 'yC'), ('xC3..x9([0-9A-F])', 'yD'),
        ('xC3..xA([0-9A-F])', 'yE'), ('xC3..xB([0-9A-F])', 'yF'),
    ] -%}
        {%- set way.escaped = 'regexp_replace(' ~ way.escaped
            ~ ", '\\\\" ~ pattern.replace('..x', '\\\\x')
            ~ "', '\\\\" ~ bytes ~ "\\1', 'g')" -%}
    {%- endfor -%}
    cast(replace({{ way.escaped }}, '\y', '\x') as blob)
{%- endmacro %}

{#- The line as it stands in the file; null when it is not UTF-8. -#}
{% macro duckdb__line_as_text(piece, escaped_piece) -%}
    case
        when {{ escaped_piece }} is null or not contains({{ piece }}, '?') then {{ piece }}
        else try(decode(cast({{ escaped_piece }} as blob)))
    end
{%- endmacro %}

{#- The glob that matches this path alone. -#}
{% macro duckdb__literal_path(path) -%}
    {{ return(modules.re.sub('([*?[])', '[\\1]', path)) }}
{%- endmacro %}

{#- read_blob takes globs: each special character of a name stands in brackets of its own. -#}
{% macro duckdb__blobs(paths) -%}
    {%- set literal_paths = [] -%}
    {%- for path in paths -%}
        {%- do literal_paths.append(duckdb__literal_path(path)) -%}
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

{#- The path of a file that was read. A plan has the first lines of a large one elsewhere. -#}
{% macro duckdb__path_read(filename) -%}
    {{ filename }}
{%- endmacro %}

{% macro duckdb__file_heads(paths) %}
    {%- set packed, plain = [], [] -%}
    {%- for path in paths -%}
        {%- do (packed if duckdb__is_packed(path) else plain).append(path) -%}
    {%- endfor %}
    with

    heads as (
        select
            {{ duckdb__path_read('filename') }} as source_file,
            {{ duckdb__without_mark("decode(content[1:" ~ var('max_line_bytes') ~ "], 'replace')") }} as head
        from {{ duckdb__blobs(plain) }}
    ),

    split as (
        select
            source_file,
            case
                when {{ duckdb__is_document('head') }} then [head]
                else string_split(coalesce({{ duckdb__rejoined('head', 'head') }}, head), chr(10))
            end as pieces
        from heads
    ),

    pieces as (
        select
            source_file,
            unnest(range(1, len(pieces) + 1)) as line_no,
            rtrim(unnest(pieces), chr(13)) as piece
        from split
        {%- for path in packed %}
        union all
        {{ duckdb__packed_heads(path) }}
        {%- endfor %}
    ),

    written as (
        select
            source_file,
            line_no,
            case
                when line_no <= {{ head_lines() }} then {{ duckdb__as_written('piece') }}
                else piece
            end as piece
        from pieces
    ),

    lines as (
        select
            source_file,
            line_no,
            case
                when line_no <= {{ head_lines() }} and starts_with(piece, '[') and json_valid(piece) then piece ->> '$[0]'
                else piece
            end as line_text
        from written
    ),

    objects as (
        select
            source_file,
            line_no,
            line_text,
            case
                when line_no <= {{ head_lines() }} and starts_with(ltrim(line_text, {{ "' ' || chr(9) || chr(10) || chr(13)" }}), '{')
                    then json_valid(line_text)
                else false
            end as is_object
        from lines
    ),

    final as (
        select
            source_file,
            line_no,
            line_text,
            is_object,
            case
                when is_object
                    then array_to_string(
                        list_filter(json_keys(line_text), lambda name: regexp_matches(name, '^[A-Za-z_.]{1,40}$'))[1:{{ named_members() }}], ', '
                    )
            end as member_names
        from objects
    )

    select * from final
{% endmacro %}

{#- The first lines of a compressed file. -#}
{% macro duckdb__packed_heads(path) %}
    select
        {{ text_literals([path]) }} as source_file,
        line_no,
        {%- set text = 'decode(' ~ duckdb__latin_bytes("coalesce(line, '')") ~ ", 'replace')" %}
        case when line_no = 1 then {{ duckdb__without_mark(text) }} else {{ text }} end as piece
    from ({{ duckdb__packed_lines(path) }} limit {{ head_lines() }})
{% endmacro %}

{% macro duckdb__matching_files(glob) -%}
    (
        select filename
        from read_blob({{ text_literals([glob]) }})
        where {{ duckdb__is_text('filename') }}
    )
{%- endmacro %}
