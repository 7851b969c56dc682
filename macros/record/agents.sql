{#-
    What logs of agents have in common that count reasoning beside the output: `output_alone` and
    `total_tokens` are the counts as they were written.
-#}

{#- The output with its reasoning; where the total says that it is in there, it is not added. -#}
{% macro output_by_total(relation='accepted') -%}
    case
        when {{ relation }}.total_tokens = {{ relation }}.input_tokens + {{ relation }}.output_alone
            then {{ relation }}.output_alone
        else {{ relation }}.actual_output_tokens
    end
{%- endmacro %}

{#-
    The CTEs from the lines of the Gemini CLI to `messages`, one row per answer: a session that is
    written line by line names itself on its first line, one that is a JSON value in each record.
    copy_no is 1 for the place that counts: a message is written again as it grows.
-#}
{% macro gemini_cli_messages() %}
lines as (
    select * from {{ ref('base_gemini_cli__lines') }}
),

sessions as (
    select
        source_file,
        max(session_id) as session_id,
        max(session_kind) as session_kind
    from lines
    where session_id is not null
    group by source_file
),

placed as (
    select
        lines.source_file,
        lines.line_no,
        lines.record_no,
        lines.landing_no,
        lines.occurred_at,
        lines.phase_id,
        lines.provider,
        lines.model,
        lines.input_tokens,
        lines.actual_output_tokens,
        lines.reasoning_tokens,
        lines.output_alone,
        lines.total_tokens,
        coalesce(lines.run_id, sessions.session_id, lines.source_file) as run_id,
        coalesce(lines.category, sessions.session_kind, 'main') as category
    from lines
    left join sessions
        on lines.source_file = sessions.source_file
    where lines.event_key is not null
),

named as (
    select
        *,
        'gemini_cli:' || run_id || ':' || phase_id as event_id
    from placed
),

messages as (
    select
        *,
        max(landing_no) over (partition by event_id) as newest_landing_no,
        row_number() over (
            partition by event_id
            order by occurred_at desc, source_file asc, line_no desc, record_no desc
        ) as copy_no
    from named
),
{% endmacro %}
