{% set left_out %}
case
    when coalesce(event_type_value, '') <> 'model' then 'no call of a model'
    when cache_value = 'read' then 'answer from a cache'
    when actual_output_tokens is null then 'no output counted'
end
{% endset %}

{{ land(
    'inspect_ai',
    each=['samples[].events[]'],
    left_out=left_out,
    key="'inspect:' || coalesce(event_uuid_value, sample_uuid_value || ':' || cast(record_no as string))",
) }}
