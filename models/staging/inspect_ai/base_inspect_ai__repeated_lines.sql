{#- A log that was converted or cut: the event with the most fields counts. -#}
{{ repeated_lines('inspect_ai', best=known_fields('lines', 'inspect_ai') ~ ' desc') }}
