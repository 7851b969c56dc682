{% set left_out %}
case
    when coalesce(schema_type_value, '') <> 'modelinvocationlog' then 'another kind of line'
    when is_failed_value = 'true' then 'failed call'
    when actual_output_tokens is null then 'no output counted'
end
{% endset %}

{{ land(
    'bedrock',
    each=['[]'],
    left_out=left_out,
    key="'bedrock:' || coalesce(response_id_value, md5(record_text))",
) }}
