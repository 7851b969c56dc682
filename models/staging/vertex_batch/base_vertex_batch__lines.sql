{% set left_out %}
case
    when is_failed_value = 'true' then 'failed call'
    when actual_output_tokens is null then 'no output counted'
end
{% endset %}

{{ land(
    'vertex_batch',
    left_out=left_out,
    key="'vertex_batch:' || coalesce(response_id_value, md5(line_text))",
) }}
