{#- An answer that was logged twice counts once: where its ceiling is, whole (a part of a stream of
    Gemini counts what came so far), else as it came first. -#}
{% set best = (
    'lines.actual_max_tokens asc nulls last, lines.actual_output_tokens desc,'
    ~ ' lines.occurred_at asc'
) %}
{{ repeated_lines('answers', best=best) }}
