{#- A run grows until it ends: of several exports the last count. -#}
{{ repeated_lines('langsmith', best='lines.occurred_at desc, lines.actual_output_tokens desc') }}
