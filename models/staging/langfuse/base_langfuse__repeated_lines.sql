{#- An observation grows until its call has ended: the one that was written last counts. -#}
{{ repeated_lines(
    'langfuse', best='lines.updated_at desc, ' ~ known_fields('lines', 'langfuse') ~ ' desc'
) }}
