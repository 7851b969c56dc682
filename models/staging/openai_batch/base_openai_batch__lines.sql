{% set left_out %}
case
    when is_request_value = 'true' then 'request'
    when coalesce(status_code_value, '') <> '200' then 'failed call'
    when second_choice_value = 'true' then 'several choices'
    when actual_output_tokens is null then 'no output counted'
end
{% endset %}

{{ land(
    'openai_batch',
    left_out=left_out,
    key="'openai_batch:' || coalesce(batch_request_id_value, response_id_value, md5(line_text))",
) }}
