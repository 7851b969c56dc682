{#- An answer that was logged twice counts once: where its ceiling is, else as it came first. -#}
{% set best = 'lines.actual_max_tokens asc nulls last, lines.occurred_at asc' %}
{{ repeated_lines('answers', best=best) }}
