{#-
    What the rollouts of Codex need: a count of tokens tells neither its session nor its model, and
    sessions that fork repeat the counts of the one that they come from.
-#}

{#- A word, or the name of the first member of an object: subagent for {"subagent": ...}. -#}
{% macro form_word_or_key(value) -%}
    nullif('"' || {{ regex_first(value, '^(?:[{] *)?"([a-z_]+)"') }} || '"', '""')
{%- endmacro %}

{#-
    The CTEs from the lines of Codex to `counts`, one row per count of tokens: the session that its
    file begins with, the root of the sessions that it forked from (16 forks deep), the model of the
    turn above it, and copy_no, 1 for the line that counts. The four totals are the identity of a
    call among the sessions of one root: a count that is written again has the totals of before, and
    a fork repeats them under new times.
-#}
{% macro codex_counts() %}
lines as (
    select * from {{ ref('base_codex__lines') }}
),

-- the sessions after the first of a file are copies of its ancestors
named_sessions as (
    select
        source_file,
        session_id,
        parent_id,
        session_source,
        session_provider,
        row_number() over (partition by source_file order by line_no asc) as session_no
    from lines
    where line_type = 'session_meta' and session_id is not null
),

sessions as (
    select * from named_sessions
    where session_no = 1
),

roots_0 as (
    select
        session_id,
        coalesce(max(parent_id), session_id) as root_id
    from named_sessions
    group by session_id
),
{% for round in range(1, 5) %}
roots_{{ round }} as (
    select
        near.session_id,
        coalesce(far.root_id, near.root_id) as root_id
    from roots_{{ round - 1 }} as near
    left join roots_{{ round - 1 }} as far
        on near.root_id = far.session_id
),
{% endfor %}
in_turns as (
    select
        *,
        sum(case when line_type = 'turn_context' then 1 else 0 end)
            over (partition by source_file order by line_no asc) as turn_no
    from lines
    where line_type = 'turn_context' or event_key is not null
),

described as (
    select
        *,
        max(turn_model) over (partition by source_file, turn_no) as model,
        max(turn_effort) over (partition by source_file, turn_no) as effort,
        lag(total_input_tokens) over in_file as input_before,
        lag(total_output_tokens) over in_file as output_before,
        lag(total_reasoning_tokens) over in_file as reasoning_before
    from in_turns
    window in_file as (
        partition by source_file, event_key is not null
        order by line_no asc
    )
),

placed as (
    select
        described.*,
        coalesce(sessions.session_id, described.source_file) as run_id,
        coalesce(roots_4.root_id, described.source_file) as root_id,
        sessions.session_source as category,
        sessions.session_provider as provider,
        'codex:' || coalesce(roots_4.root_id, described.source_file) || ':' || {{ codex_totals() }} as event_id
    from described
    left join sessions
        on described.source_file = sessions.source_file
    left join roots_4
        on sessions.session_id = roots_4.session_id
    where described.event_key is not null
),

counts as (
    select
        *,
        max(landing_no) over (partition by root_id) as root_landing_no,
        row_number() over (
            partition by event_id
            order by case when run_id = root_id then 0 else 1 end asc, occurred_at asc, source_file asc, line_no asc
        ) as copy_no
    from placed
),
{% endmacro %}

{#- The four totals of a count as one text; suffix: what follows the names of the fields. -#}
{% macro codex_totals(suffix='') -%}
    (
        {%- for name in ['input', 'cached', 'output', 'reasoning'] %}
        cast(coalesce(total_{{ name }}_tokens{{ suffix }}, 0) as string){{ " || '.' ||" if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{#- What a total grew by since the count before; one that fell began anew. -#}
{% macro grown(total, before) -%}
    case when {{ total }} >= {{ before }} then {{ total }} - {{ before }} else {{ total }} end
{%- endmacro %}
