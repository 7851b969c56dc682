{% set left_out %}
case
    when coalesce(line_type_value, '') <> 'event_msg' or coalesce(payload_type_value, '') <> 'token_count'
        then 'no count'
    when actual_output_tokens is null or total_output_tokens is null or actual_output_tokens_value = 0
        then 'no output counted'
end
{% endset %}

{#- In one file; which session the file belongs to is known from its other lines (codex_counts). -#}
{{ land(
    'codex',
    left_out=left_out,
    key="'codex:' || first_line_md5 || ':' || " ~ codex_totals('_value'),
) }}
