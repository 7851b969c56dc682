{#- An export that was tried again sends a span again: the one that ended later counts. -#}
{{ repeated_lines(
    'otel', best='lines.occurred_at desc, ' ~ known_fields('lines', 'otel') ~ ' desc'
) }}
