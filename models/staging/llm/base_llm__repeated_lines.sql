{#- Both tables of the database hold a response: the row with the most fields counts. -#}
{{ repeated_lines('llm', best=known_fields('lines', 'llm') ~ ' desc') }}
