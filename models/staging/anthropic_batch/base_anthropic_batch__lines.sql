{% set left_out %}
case
    when is_request_value = 'true' then 'request'
    when coalesce(result_type_value, '') <> 'succeeded' then 'failed call'
    when actual_output_tokens is null then 'no output counted'
end
{% endset %}

{{ land(
    'anthropic_batch',
    each=['requests[]'],
    left_out=left_out,
    key="'anthropic_batch:' || coalesce(response_id_value, md5(record_text))",
) }}
