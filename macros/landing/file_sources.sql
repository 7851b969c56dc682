{#-
    Which source a file belongs to: the one that has landed records of it, else the one that
    TOKENEST_TELEMETRY says, else the one that recognises its first records. A record is recognised by
    `recognised_by` in the yml of a source's base model (config.meta), a list of alternatives: `keys`,
    all of which an object has (`usage.output` is a member of a member), `one_of`, lists of which it has
    one each, `envelope`, which it has (macros/record/envelopes.sql), `without`, none of which it has,
    and `words`, what a member has to say ({type: [a, b]}); or `text`, a pattern of a line that is no
    object. A file whose records no source recognises, or two, is `unrecognised` or `ambiguous`: it
    is named and not read. A file without any object is judged line by line by the first source, and
    goes to another as soon as that one recognises a record.
-#}
{% macro landed_sources() %}
    {% if not execute %}{{ return('') }}{% endif %}
    select
        source_file,
        {{ value_of_largest('source_name', 'landing_no') }} as source_name,
        bool_or(is_sure) as is_sure
    from ({{ landed_places() }})
    group by source_file
{% endmacro %}

{#- places_of() of every source; of none where everything is to land anew. -#}
{% macro landed_places() %}
    {% set landed = landed_relations() if not flags.FULL_REFRESH else [] %}
    {% for source in var('sources') if relation_named('base_' ~ source ~ '__lines') in landed -%}
        {{ places_of(relation_named('base_' ~ source ~ '__lines'), source) }}
        {{ 'union all' if not loop.last }}
    {% else -%}
        select
            cast(null as string) as content,
            cast(null as string) as source_file,
            cast(null as string) as source_name,
            0 as landing_no,
            false as is_sure
        where false
    {% endfor %}
{% endmacro %}

{#-
    One row per content that a source has landed: content (its name), source_file (where it is),
    source_name and landing_no. is_sure: it holds an object, or as many bytes as are looked at to find
    a text that a source recognises.
-#}
{% macro places_of(relation, source) %}
    {%- set is_long = 'coalesce(landed_bytes, file_bytes) >= ' ~ var('max_line_bytes') %}
    select
        source_file as content,
        {{ value_of_largest(place_of_content(), 'line_no') }} as source_file,
        '{{ source }}' as source_name,
        max(landing_no) as landing_no,
        {% if source == var('sources')[0] -%}
        bool_or({{ is_long }} or source_file in (
            select source_file
            from {{ relation }}
            where
                -- of ten million lines in a few files most need not be looked at
                source_file in (
                    select source_file
                    from {{ relation }}
                    where file_bytes is not null and not {{ is_long }}
                )
                and not is_blank
                and coalesce(
                    reject_reason
                    not in ('not_json', 'not_utf8', 'not_an_object', 'line_too_long', 'torn_tail'),
                    true
                )
        ))
        {%- else %}true{% endif %} as is_sure
    from {{ relation }}
    where file_bytes is not null
    group by source_file
{% endmacro %}

{#- How many lines of a file are looked at to find an object. -#}
{% macro head_lines() %}{{ return(50) }}{% endmacro %}

{#- How many members of a record that no source knows are named. -#}
{% macro named_members() %}{{ return(5) }}{% endmacro %}

{#- Files of the listing of which no record has landed yet, whose beginning tells of the source. -#}
{% macro files_to_recognise(files) %}
    {% if not execute or flags.WHICH not in ['build', 'run'] %}{{ return([]) }}{% endif %}
    {{ return(run_query(unrecognised_files(files)).columns[0].values() | list) }}
{% endmacro %}

{#-
    Query: those files, by name. Nothing is asked of an empty one: it may be a FIFO, which would wait.
-#}
{% macro unrecognised_files(files) %}
    select distinct filename
    from {{ files }}
    where
        {{ is_text('filename') }}
        and size > 0
        and filename not in (
            select source_file from ({{ landed_sources() }}) where is_sure
            union all
            select source_file from ({{ files_set_aside() }})
        )
    order by filename
{% endmacro %}

{#-
    source_file and reason of files that cannot be read: the JSON object of TOKENEST_SET_ASIDE, which
    `tokenest build` finds out. SQL cannot: a file that it fails to open ends the build.
-#}
{% macro files_set_aside() %}
    {% for path, reason in fromjson(env_var('TOKENEST_SET_ASIDE', '{}')).items() if execute %}
    select
        {{ text_literals([path]) }} as source_file,
        {{ text_literals([reason]) }} as reason
    {{ 'union all' if not loop.last }}
    {% else %}
    select
        cast(null as string) as source_file,
        cast(null as string) as reason
    where false
    {% endfor %}
{% endmacro %}

{#-
    source_file, source_name and what it looks like, of lines as file_heads() gives them. A source that
    `yields` (config.meta) takes what no other recognises: its words are those of anybody.
-#}
{% macro recognised_sources(lines) %}
    {% if not execute %}{{ return('') }}{% endif %}
    {% set first, yielding = [], [] %}
    {% for source in var('sources') %}
        {% set lines_of = graph.nodes['model.tokenest.base_' ~ source ~ '__lines'] %}
        {% do (yielding if lines_of.config.meta.get('yields') else first).append(source) %}
    {% endfor %}
    select
        source_file,
        case
            when contains(words, ' ') then 'ambiguous'
            when words <> '' then words
            when first_names is not null then 'unrecognised'
        end as source_name,
        case when contains(words, ' ') then words else first_names end as looks_like
    from (
        select
            source_file,
            {{ value_of_largest('member_names', '-line_no') }} as first_names,
            coalesce(
                {%- for sources in (first, yielding) if sources %}
                nullif(concat_ws(
                    ' '
                    {%- for source in sources %},
                    max(case when {{ is_record_of(source) }} then '{{ source }}' end)
                    {%- endfor %}
                ), ''),
                {%- endfor %}
                ''
            ) as words
        from {{ lines }}
        group by source_file
    )
{% endmacro %}

{#- Boolean: the line looks like one of the source, by its meta recognised_by. -#}
{% macro is_record_of(source) -%}
    {%- set lines = graph.nodes['model.tokenest.base_' ~ source ~ '__lines'] -%}
    {%- set envelopes = source_envelopes(source) -%}
    (
        {%- for way in lines.config.meta['recognised_by'] %}
        {% if way['text'] is defined -%}
            case when not is_object then {{ regex_test('line_text', way['text']) }} else false end
        {%- else -%}
            {%- set names, members = [], [] -%}
            {%- for key in way.get('keys', []) -%}
                {%- do (members if '.' in key else names).append(key) -%}
            {%- endfor -%}
            case
                when not is_object then false
                {%- if names %}
                when not {{ json_has_keys('line_text', names) }} then false
                {%- endif %}
                {%- for key in way.get('without', []) %}
                when {{
                    json_text_at('line_text', key) ~ ' is not null' if '.' in key
                    else json_has_keys('line_text', [key])
                }} then false
                {%- endfor %}
                {%- for key in members %}
                when {{ json_text_at('line_text', key) }} is null then false
                {%- endfor %}
                {%- for keys in way.get('one_of', []) %}
                when not {{ json_holds_one('line_text', keys) }} then false
                {%- endfor %}
                {%- if way['envelope'] is defined %}
                {%- set rule = envelopes[way['envelope']] %}
                when not {{ json_has_envelope('line_text', rule['names'], rule['holds']) }} then false
                {%- endif %}
                {%- for key, words in way.get('words', {}).items() %}
                when coalesce({{ json_text_at('line_text', key) }}, '') not in ({{ text_literals(words) }}) then false
                {%- endfor %}
                else true
            end
        {%- endif %}
        {{ 'or' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{#-
    Warns of the files that are not read, each with what it looks like and how to say whose it is.
-#}
{% macro name_unread_files(relation) %}
    {% if execute %}
        {% for file in run_query(unread_files(relation)).rows %}
            {% if file['reason'] %}
                {% do set_aside(file['source_file'], file['reason']) %}
            {% else %}
                {% do exceptions.warn(file['message']) %}
            {% endif %}
        {% endfor %}
    {% endif %}
{% endmacro %}

{#-
    Query: what to say of the files that are not read, of twenty each and of the others together: the
    reason of one that was set aside, else a message.
-#}
{% macro unread_files(relation) %}
    select
        source_file,
        case when source_name = 'set_aside' and file_no <= 20 then looks_like end as reason,
        case
            when file_no > 20
                then
                    cast(file_count - 20 as string)
                    || ' more telemetry files were not read (staging.base_telemetry__files)'
            else
                'telemetry file ' || source_file || ' was not read: '
                || case
                    when source_name = 'unrecognised'
                        then
                            'no source knows its first record'
                            || case when looks_like <> '' then ', which has ' || looks_like else '' end
                    else 'its records are of several sources (' || looks_like || '); give each a file of its own'
                end
                || '; `tokenest import FILE` knows more names and shapes, SOURCE:FILE says whose it is, or write'
                || ' event records: {{ event_fields() | selectattr("required", "in", ["always", "event"])
                    | map(attribute="name") | join(" and ") }} are enough (docs/event_record.md)'
        end as message
    from (
        select
            source_file,
            source_name,
            looks_like,
            row_number() over (order by source_file asc) as file_no,
            count(*) over () as file_count
        from {{ relation }}
        where source_name in ('unrecognised', 'ambiguous', 'set_aside')
    )
    where file_no <= 21
    order by file_no
{% endmacro %}

{#- Warns of a file that is not read; the rest lands, and `tokenest build` exits with 3. -#}
{% macro set_aside(path, reason) %}
    {% do exceptions.warn('telemetry file ' ~ path ~ ' was set aside: ' ~ reason) %}
{% endmacro %}
