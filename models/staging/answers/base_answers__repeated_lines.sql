{#- An answer that was logged twice counts once: where its ceiling stands, else as it came first. -#}
{{ repeated_lines('answers', best='lines.actual_max_tokens asc nulls last, lines.occurred_at asc') }}
