{#- Spans of chains and agents sum up the calls below them: those of models alone count. -#}
{% set left_out %}
case
    when not {{ is_call_of_model() }} then 'no call of a model'
    when choices_value > 1 then 'several choices'
    when actual_output_tokens is null then 'no output counted'
end
{% endset %}

{{ land(
    'openinference',
    each=['data[]', '[]'],
    left_out=left_out,
    key="'openinference:' || trace_id_value || ':' || phase_id_value",
) }}
