{#- The same call from two callbacks: the record with the most fields counts. -#}
{{ repeated_lines('litellm', best=known_fields('lines', 'litellm') ~ ' desc') }}
