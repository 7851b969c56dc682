{% set left_out %}
case
    when is_failed_value = 'true' then 'failed call'
    when second_choice_value = 'true' then 'several choices'
    when actual_output_tokens is null then 'no output counted'
end
{% endset %}

{{ land(
    'answers',
    each=['[]'],
    left_out=left_out,
    key="'answers:' || coalesce(response_id_value, md5(record_text))",
) }}
