{% set left_out %}
case
    when coalesce(line_type_value, '') <> 'assistant' then 'no answer'
    when is_error_value = 'true' and said_maximum_value is null then 'error message'
    when model_value = '<synthetic>' and said_maximum_value is null then 'message of the program'
    when phase_id_value is null or actual_output_tokens is null then 'no output counted'
end
{% endset %}

{{ land(
    'claude_code',
    left_out=left_out,
    key="'claude_code:' || phase_id_value || ':' || coalesce(request_id_value, '')",
) }}
