{#-
    Records that complete each other: of one call a log of the session, a span and a gateway's payload
    may each know a part. They share the provider's id of the response, or that of the request.
-#}

{#-
    Text: the format of an event's record. A call has one record of a format, so two of one format are
    two calls, whatever they share, but for spans of one trace (record_place).
-#}
{% macro record_format() -%}
    coalesce(
        nullif({{ regex_first('event_id', '^(otlp|otlp_log|litellm|litellm_spend):') }}, ''), source_name
    )
{%- endmacro %}

{#-
    Text: the record, or of spans their trace: where a library and the client that it calls are both
    traced, a call has two spans.
-#}
{% macro record_place() -%}
    coalesce(nullif({{ regex_first('event_id', '^((otlp|openinference):.*):') }}, ''), event_id)
{%- endmacro %}

{#- Text: the provider's id of the request, which an event of Claude Code has in its identity. -#}
{% macro request_of_event() -%}
    case
        when source_name = 'claude_code'
            then nullif({{ regex_first('event_id', '^claude_code:.*:([^:]+)$') }}, '')
    end
{%- endmacro %}

{#-
    Whole number: how well a source knows the run and the group of a call, by its place in var
    sources.
-#}
{% macro source_rank() -%}
    case source_name
        {%- for source in var('sources') %}
        when '{{ source }}' then {{ loop.index }}
        {%- endfor %}
    end
{%- endmacro %}

{#-
    Boolean: events of two formats are there, or spans, so that two records may be of one call. Without,
    nothing is searched for.
-#}
{% macro may_complete_each_other() %}
    {% if not execute or flags.WHICH not in ['build', 'run'] %}{{ return(true) }}{% endif %}
    {% set searched = [] %}
    {% for source in var('sources') %}
        {% do searched.append(
            "select '" ~ source ~ "' as source_name where exists (select 1 from "
            ~ ref('stg_' ~ source ~ '__events') ~ ')'
        ) %}
    {% endfor %}
    {{ return(has_rows(
        'select 1 from (' ~ searched | join(' union all ') ~ ') having count(*) > 1'
        ~ " or max(case when source_name in ('otel', 'openinference', 'litellm') then 1 else 0 end) = 1"
    )) }}
{% endmacro %}

{#- Boolean: a call is told by several records; while nothing is built, that it may be. -#}
{% macro are_calls_completed() %}
    {% if not is_read() %}{{ return(false) }}{% endif %}
    {% if not execute or flags.WHICH not in ['build', 'run'] %}{{ return(true) }}{% endif %}
    {{ return(has_rows('select 1 from ' ~ ref('int_completed_events') ~ ' limit 1')) }}
{% endmacro %}

{#-
    The CTE `located`: the records of calls that several records tell, with the place of the line that
    was accepted. Where no two formats are there, it reads none of the CTEs before it.
-#}
{% macro located_records(records, accepted, columns) %}
located as (
    {% if not may_complete_each_other() %}
    {{ no_rows(dict(
        columns, source_name='text', home_id='text', is_counted='flag', accepted_file='text',
        accepted_line_no='whole', accepted_record_no='whole'
    )) }}
    {% else %}
    select
        records.source_name,
        {%- for name in columns %}
        records.{{ name }},
        {%- endfor %}
        records.home_id,
        records.is_counted,
        accepted.source_file as accepted_file,
        accepted.line_no as accepted_line_no,
        accepted.record_no as accepted_record_no
    from {{ records }} as records
    left join {{ accepted }} as accepted
        on records.event_id = accepted.event_key
    {% endif %}
)
{% endmacro %}

{#-
    Query: the events of `events` that no other record tells, and of those that several tell the one
    that counts, as int_completed_events knows it.
-#}
{% macro one_event_a_call(events, columns) %}
    select * from {{ events }}
    {%- if are_calls_completed() %}
    where
        not exists (
            select 1 from completed_events
            where completed_events.event_id = {{ events }}.event_id
        )
    union all
    select
        source_name,
        {{ columns | join(',\n        ') }}
    from completed_events
    where is_counted
    {%- endif %}
{% endmacro %}
