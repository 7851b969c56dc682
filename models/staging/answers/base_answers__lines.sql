{% set left_out %}
case
    when is_failed_value = 'true' then 'failed call'
    when is_cancelled_value = 'true' then 'cancelled'
    when is_cached_value = 'true' then 'answer from a cache'
    when part_of_value not in ('response', 'message') then 'part of a stream'
    -- a message of Anthropic that does not say why it ended has only begun
    when part_of_value = 'message' and is_said_value = 'true' and stop_reason_value is null
        then 'part of a stream'
    when second_choice_value = 'true' then 'several choices'
    when turns_value > 1 or operation_value in ('invoke_agent', 'invoke_workflow', 'create_agent')
        then 'run of several calls'
    when actual_output_tokens is null then 'no output counted'
    when actual_output_tokens_value = 0 and stop_reason_value is null then 'no output counted'
end
{% endset %}

{#-
    Servers on one's own machine give ids by chance: an id is one with its time. What a program calls `id`
    may be that of a question, which several models answer; one of a provider is told by how it begins.
-#}
{% set key %}
'answers:' || coalesce(
    response_id_value || coalesce(
        '@' || made_at_value,
        case
            when not {{ regex_test('own_id_value', '^(msg|resp|chatcmpl|cmpl|gen)[_-]') }}
                then '@' || coalesce(model_value, '') || '/' || cast(actual_output_tokens_value as string)
        end,
        ''
    ),
    md5(record_text)
)
{% endset %}

{{ land(
    'answers',
    each=['[]'],
    left_out=left_out,
    key=key,
) }}
