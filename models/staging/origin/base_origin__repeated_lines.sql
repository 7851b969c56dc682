{#- Of the places where a call stands, the one that knows its run counts, then the one that knows most. -#}
{{ repeated_lines(
    'origin',
    best="case when lines.run_id = 'unknown' then 1 else 0 end asc, " ~ known_fields('lines', 'origin') ~ ' desc',
) }}
