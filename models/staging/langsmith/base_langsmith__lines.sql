{% set left_out %}
case
    when coalesce(run_type_value, '') <> 'llm' then 'no call of a model'
    when is_failed_value = 'true' then 'failed call'
    when second_choice_value = 'true' then 'several choices'
    when actual_output_tokens is null then 'no output counted'
    when actual_output_tokens_value = 0 and stop_reason_value is null then 'no output counted'
end
{% endset %}

{{ land('langsmith', each=['[]'], left_out=left_out, key="'langsmith:' || phase_id_value") }}
