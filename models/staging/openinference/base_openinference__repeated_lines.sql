{#- A span that was exported again: the one that ended later counts. -#}
{{ repeated_lines(
    'openinference', best='lines.occurred_at desc, ' ~ known_fields('lines', 'openinference') ~ ' desc'
) }}
