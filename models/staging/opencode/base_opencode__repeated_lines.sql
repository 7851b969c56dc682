{#- A message is written again until it has ended: the last one counts. -#}
{{ repeated_lines(
    'opencode', best='lines.occurred_at desc, ' ~ known_fields('lines', 'opencode') ~ ' desc'
) }}
