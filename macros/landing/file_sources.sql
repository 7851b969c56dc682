{#-
    Which source a file belongs to: the one that has landed lines of it, else the one that
    recognises its first record, else none. A record is recognised by `recognised_by` in the yml of
    a source's base model (config.meta), a list of alternatives: `keys`, all of which an object has,
    and `without`, none of which it has; or `text`, a pattern of a line that is no object. The first
    line that any source recognises decides, if no second source does.
-#}
{% macro landed_sources() %}
    {% if not execute %}{{ return('') }}{% endif %}
    {% set landed = landed_relations() %}
    {% for source in var('sources') if relation_named('base_' ~ source ~ '__lines') in landed -%}
        select distinct
            source_file,
            '{{ source }}' as source_name
        from {{ relation_named('base_' ~ source ~ '__lines') }}
        where file_bytes is not null
        {{ 'union all' if not loop.last }}
    {% else -%}
        select
            cast(null as string) as source_file,
            cast(null as string) as source_name
        where false
    {% endfor %}
{% endmacro %}

{#- Files of the listing that have not landed yet, of whose beginning the source has to be read. -#}
{% macro files_to_recognise(files) %}
    {% if not execute or flags.WHICH not in ['build', 'run'] %}{{ return([]) }}{% endif %}
    {{ return(run_query(
        'select distinct filename from ' ~ files ~ ' where filename not in (select source_file from ('
        ~ landed_sources() ~ ')) order by filename'
    ).columns[0].values() | list) }}
{% endmacro %}

{#- source_file and source_name of the files, of lines as file_heads() gives them. -#}
{% macro recognised_sources(lines) %}
    {% if not execute %}{{ return('') }}{% endif %}
    select
        source_file,
        case when not contains(sources, ' ') then sources end as source_name
    from (
        select
            source_file,
            sources,
            row_number() over (partition by source_file order by line_no asc) as occurrence
        from (
            select
                source_file,
                line_no,
                concat_ws(
                    ' '
                    {%- for source in var('sources') %},
                    case when {{ is_record_of(source) }} then '{{ source }}' end
                    {%- endfor %}
                ) as sources
            from {{ lines }}
        )
        where sources <> ''
    )
    where occurrence = 1
{% endmacro %}

{#- Boolean: the line looks like one of the source, by its meta recognised_by. -#}
{% macro is_record_of(source) -%}
    {%- set lines = graph.nodes['model.tokenest.base_' ~ source ~ '__lines'] -%}
    (
        {%- for way in lines.config.meta['recognised_by'] %}
        {% if way['text'] is defined -%}
            case when not is_object then {{ regex_test('line_text', way['text']) }} else false end
        {%- else -%}
            case
                when is_object
                    then {{ json_has_keys('line_text', way['keys']) }}
                    {%- for key in way.get('without', []) %}
                    and not {{ json_has_keys('line_text', [key]) }}
                    {%- endfor %}
                else false
            end
        {%- endif %}
        {{ 'or' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}
