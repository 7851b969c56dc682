{% set left_out %}
case
    when is_request_value = 'true' then 'request'
    when is_failed_value = 'true' then 'failed call'
    when actual_output_tokens is null then 'no output counted'
end
{% endset %}

{{ land(
    'gemini_batch',
    left_out=left_out,
    key="'gemini_batch:' || coalesce(response_id_value, md5(line_text))",
) }}
