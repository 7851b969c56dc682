{% set left_out %}
case
    when coalesce(message_role_value, '') <> 'assistant' then 'no answer'
    when actual_output_tokens is null then 'no output counted'
    when actual_output_tokens_value = 0 and stop_reason_value is null then 'no output counted'
end
{% endset %}

{{ land(
    'opencode',
    left_out=left_out,
    key="'opencode:' || phase_id_value",
) }}
