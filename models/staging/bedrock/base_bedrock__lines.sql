{% set left_out %}
case
    when schema_type_value is distinct from 'modelinvocationlog' then 'another kind of line'
    when is_failed_value = 'true' then 'failed call'
    when actual_output_tokens is null then 'no output counted'
end
{% endset %}

{{ land(
    'bedrock',
    left_out=left_out,
    key="'bedrock:' || coalesce(response_id_value, md5(line_text))",
) }}
