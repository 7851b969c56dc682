{% set left_out %}
case
    when coalesce(message_type_value, '') <> 'gemini' then 'no answer'
    when actual_output_tokens is null then 'no output counted'
end
{% endset %}

{#- Which session the lines of a file are of is known from its first (gemini_cli_messages). -#}
{{ land(
    'gemini_cli',
    each=['messages[]'],
    left_out=left_out,
    key="'gemini_cli:' || coalesce(run_id_value, first_line_md5) || ':' || phase_id_value",
) }}
