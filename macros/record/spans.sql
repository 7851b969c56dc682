{#-
    Boolean: a span is one call of a model, by the words of OpenTelemetry, of the AI SDK, of Semantic
    Kernel and of OpenInference. Spans of agents, chains and tools sum up the calls below them.
-#}
{% macro is_call_of_model() -%}
    (
        coalesce(operation_value, '') in ('chat', 'text_completion', 'generate_content', 'completion')
        or {{ regex_test(
            "coalesce(operation_value, '')",
            '^(ai[.][a-z]+[.]do(generate|stream)|(chat|text)[.](streaming_)?completions)$'
        ) }}
        or coalesce(span_kind_value, '') = 'llm'
    )
{%- endmacro %}

{#-
    The CTE `twins`, after those that it needs: a library and the client that it calls may both be traced,
    and a span of a call below one of the same counts, or a log record in it, is the same call. Both get one
    id of the response; where neither has the provider's, the identity of the inner one.
-#}
{% macro twin_spans(calls) %}
reached as (
    select
        *,
        parent_id as outer_span_id
    from {{ calls }}
    where parent_id <> span_id
    union all
    select
        *,
        span_id as outer_span_id
    from {{ calls }}
),

nested as (
    select
        below.event_id as inner_id,
        above.event_id as outer_id,
        coalesce(below.response_id, above.response_id, below.event_id) as response_id,
        greatest(below.landing_no, above.landing_no) as landing_no
    from reached as below
    inner join {{ calls }} as above
        on
            below.trace_id = above.trace_id
            and below.outer_span_id = above.span_id
            and below.event_id <> above.event_id
            and below.actual_output_tokens = above.actual_output_tokens
            and coalesce(below.input_tokens = above.input_tokens, true)
            and coalesce(below.response_id = above.response_id, true)
),

sides as (
    select
        inner_id as event_id,
        response_id,
        landing_no
    from nested
    union all
    select
        outer_id as event_id,
        response_id,
        landing_no
    from nested
),

twins as (
    select
        event_id,
        max(response_id) as response_id,
        max(landing_no) as landing_no
    from sides
    group by event_id
)
{% endmacro %}
