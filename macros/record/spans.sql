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
