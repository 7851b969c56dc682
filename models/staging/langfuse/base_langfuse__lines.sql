{% set left_out %}
case
    when coalesce(observation_type_value, '') <> 'generation' then 'no call of a model'
    when level_value = 'error' then 'failed call'
    when unit_value <> 'tokens' then 'no count of tokens'
    when actual_output_tokens is null then 'no output counted'
    when actual_output_tokens_value = 0 and stop_reason_value is null then 'no output counted'
end
{% endset %}

{{ land(
    'langfuse',
    each=['data[]', '[]'],
    left_out=left_out,
    key="'langfuse:' || phase_id_value",
) }}
