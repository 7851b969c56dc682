{#- A record holds no time: of two copies the file that was written first counts. -#}
{{ repeated_lines('gemini_batch', best='lines.occurred_at asc') }}
