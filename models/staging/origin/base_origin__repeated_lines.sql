{#- Of the places where a call stands, that with its run counts, then that with the most fields. -#}
{% set without_run = "case when lines.run_id = 'unknown' then 1 else 0 end" %}
{{ repeated_lines('origin', best=without_run ~ ', ' ~ known_fields('lines', 'origin') ~ ' desc') }}
