{#-
    What a log shipper makes of the lines of a program: each a text beside its time (Docker,
    Fluent Bit, journald, CloudWatch, Loki, Splunk), an object in an entry (Google Cloud,
    Elasticsearch, Loguru), or a text behind a prefix (a logging library, syslog). By what it
    is, the paths within JSON (`shippers` in the meta of base_telemetry__files): `texts` and
    `objects` may hold a record, `lists` the entries of one answer, and `times` say when; of
    what has a member called as one of `counts`, nothing is looked for.
-#}
{% macro duckdb__shippers() %}
    {% set known = {'texts': [], 'objects': [], 'lists': [], 'times': [], 'counts': []} %}
    {% if not execute %}{{ return(known) }}{% endif %}
    {% set files = graph.nodes['model.tokenest.base_telemetry__files'] %}
    {{ return(files.config.meta['shippers']) }}
{% endmacro %}

{#- A pattern of a member that is called as the last step of one of the paths. -#}
{% macro duckdb__member_pattern(paths) -%}
    "(
    {%- for path in paths -%}
        {{ path.split('.')[-1].replace('"', '') }}{{ '|' if not loop.last }}
    {%- endfor -%}
    )"\s*:
{%- endmacro %}

{#- A pattern of how a line of text begins: as no JSON does, or with a word in brackets. -#}
{% macro duckdb__text_pattern() -%}
    ^[^{\[\x{FEFF}]|^\[[0-9A-Za-z]
{%- endmacro %}

{#- Boolean: the line is text alone, as programs write it between records. -#}
{% macro duckdb__is_prose(line) -%}
    (regexp_matches({{ line }}, '{{ duckdb__text_pattern() }}') and not contains({{ line }}, '{"'))
{%- endmacro %}

{#-
    A text whose lines a container runtime cut, as Docker and Kubernetes do after 16 KB: each is whole in
    the place of its last part, and `...` stands for the others. Null where no line was cut.
-#}
{% macro duckdb__rejoined(first_line, text) -%}
    case
        when regexp_matches({{ first_line }}, '^([{]"log": ?"|[^ ]{20,40} std(out|err) [PF] )')
            then list_transform(
                [{{ text }}],
                lambda joined: case
                    -- who takes all newlines off cuts nothing
                    when starts_with(joined, '{') and not regexp_matches(joined, '\\n", ?"stream":') then null
                    {%- for runtime in ['docker', 'kubernetes'] %}
                    {%- set ways = [
                        duckdb__two_parts(runtime, 'stdout', 'stderr'), duckdb__two_parts(runtime, 'stderr', 'stdout')
                    ] %}
                    when regexp_matches(joined, '{{ ways[0] }}') or regexp_matches(joined, '{{ ways[1] }}')
                        then {{ duckdb__joined_parts('joined', ways) }}
                    {%- endfor %}
                end
            )[1]
    end
{%- endmacro %}

{#-
    A pattern of two parts of a line: the text of the first, what stands between them (places of what was
    joined, and lines of the other stream), and how the second begins, in two pieces around that text.
-#}
{% macro duckdb__two_parts(runtime, stream, other) -%}
    {%- set log -%} [{]"log": ?" {%- endset -%}
    {%- set kept -%} (?:[^"\\\n]|\\.)* {%- endset -%}
    {%- if runtime == 'docker' -%}
        (?m)^{{ log }}({{ kept }}(?:[^"\\\n]|\\[^n]))", ?"stream": ?"{{ stream }}"[^\n]*\n
        {#- #}((?:[.]{3}\n|{{ log }}{{ kept }}", ?"stream": ?"{{ other }}"[^\n]*\n)*)
        {#- #}({{ log }})({{ kept }}", ?"stream": ?"{{ stream }}")
    {%- else -%}
        (?m)^[^ \n]{20,40} {{ stream }} P ([^\n]*)\n
        {#- #}((?:[.]{3}\n|[^ \n]{20,40} {{ other }} [PF] [^\n]*\n)*)
        {#- #}([^ \n]{20,40} {{ stream }} [PF] )()
    {%- endif -%}
{%- endmacro %}

{#- Each time two parts become one: 64 of 16 KB are 1 MB. -#}
{% macro duckdb__joined_parts(text, ways) -%}
    {%- set way = namespace(joined=text) -%}
    {%- for parts in ways * 6 -%}
        {%- set way.joined -%}
            regexp_replace({{ way.joined }}, '{{ parts }}', '...' || chr(10) || '\2\3\1\4', 'g')
        {%- endset -%}
    {%- endfor -%}
    {{ way.joined }}
{%- endmacro %}

{#- Boolean: a shipper's line is among the first; the lines of other files are not looked at. -#}
{% macro duckdb__is_shipped(lines) -%}
    {#- one by one: a slice of a list copies all of it -#}
    len(list_filter(
        [{% for no in range(1, head_lines() + 1) %}{{ lines }}[{{ no }}]{{ ', ' if not loop.last }}{% endfor %}],
        lambda line: {{ duckdb__as_written('line') }} <> line
    )) > 0
{%- endmacro %}

{#-
    The line as a program wrote it: the record that a shipper put into it, or the list of them; else the
    line.
-#}
{% macro duckdb__as_written(line) -%}
    {%- set shippers = duckdb__shippers() -%}
    {%- set lists = 'json_extract(' ~ line ~ ', ' ~ duckdb__json_places(shippers['lists']) ~ ')' -%}
    {%- set is_list = "lambda found: json_type(found) = 'ARRAY'" -%}
    {%- set first_list = 'list_filter(' ~ lists ~ ', ' ~ is_list ~ ')[1]' -%}
    case
        when octet_length(encode({{ line }})) > {{ var('max_line_bytes') }} then {{ line }}
        when regexp_matches({{ line }}, '{{ duckdb__text_pattern() }}')
            then coalesce({{ duckdb__behind_prefix(line) }}, {{ line }})
        when not regexp_matches({{ line }}, '"\{\\"|{{ duckdb__member_pattern(shippers["objects"]) }}')
            then {{ line }}
        when not json_valid({{ line }}) then {{ line }}
        else list_transform(
            [list_filter(
                list_transform(
                    from_json(
                        case
                            when starts_with({{ line }}, '[') then {{ line }}
                            else coalesce({{ first_list }}, '[' || {{ line }} || ']')
                        end,
                        '["JSON"]'
                    ),
                    lambda entry: {{ duckdb__shipped_record('entry') }}
                ),
                lambda record: record is not null
            )],
            lambda records: case
                when len(records) = 0 then {{ line }}
                when starts_with({{ line }}, '[') or {{ first_list }} is not null
                    then '[' || array_to_string(records, ',') || ']'
                else records[1]
            end
        )[1]
    end
{%- endmacro %}

{#-
    The record in an entry of a shipper, or in the entry that this one holds; null for what is no entry.
-#}
{% macro duckdb__shipped_record(entry) -%}
    list_transform(
        [{{ duckdb__record_within(entry) }}],
        lambda outer_record: coalesce({{ duckdb__record_within('outer_record') }}, outer_record)
    )[1]
{%- endmacro %}

{#- One level of it: what counts tokens by itself is a record, and no entry. -#}
{% macro duckdb__record_within(entry) -%}
    {%- set shippers = duckdb__shippers() -%}
    {%- set record -%}
        list_concat(
            list_filter(
                json_extract({{ entry }}, {{ duckdb__json_places(shippers['texts']) }}),
                lambda text: starts_with(cast(text as varchar), '"{\"') and json_valid(text ->> '$')
            ),
            list_filter(
                json_extract({{ entry }}, {{ duckdb__json_places(shippers['objects']) }}),
                lambda object: starts_with(cast(object as varchar), '{"')
            )
        )[1] ->> '$'
    {%- endset -%}
    {%- set time -%}
        list_filter(
            json_extract({{ entry }}, {{ duckdb__json_places(shippers['times']) }}),
            lambda time: time is not null
        )[1]
    {%- endset -%}
    case
        when not regexp_matches(
            array_to_string(json_keys({{ entry }}), ','),
            '(?i){{ shippers["counts"] | join("|") }}'
        )
            then {{ duckdb__timed(record, time) }}
    end
{%- endmacro %}

{#- The record that stands in a line of text, with the time that the text before it says. -#}
{% macro duckdb__behind_prefix(line) -%}
    {%- set record = 'regexp_extract(' ~ line ~ ", '[{]\".*[}]', 0, 's')" -%}
    {%- set time -%}
        '"' || nullif(regexp_extract(
            {{ line }},
            '^[^{]{0,80}?([0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,]{8,}(Z|[+-][0-9]{2}:?[0-9]{2})?)',
            1
        ), '') || '"'
    {%- endset -%}
    case when json_valid({{ record }}) then {{ duckdb__timed(record, time) }} end
{%- endmacro %}

{#- A record with the time that stands outside of it, where it has none under that name. -#}
{% macro duckdb__timed(record, time) -%}
    list_transform(
        [{{ record }}],
        lambda found: case
            when ({{ time }}) is null or json_exists(found, '$."@timestamp"') then found
            else '{"@timestamp":' || cast({{ time }} as varchar) || ',' || substring(found, 2)
        end
    )[1]
{%- endmacro %}
