{% set left_out %}
case
    when coalesce(call_type_value, '') not in (
        'completion', 'acompletion', 'text_completion', 'atext_completion', 'responses', 'aresponses',
        'anthropic_messages', 'generate_content', 'agenerate_content', 'generate_content_stream',
        'agenerate_content_stream', 'pass_through_endpoint', 'llm_passthrough_route', 'allm_passthrough_route'
    ) then 'another kind of call'
    when status_value = 'failure' then 'failed call'
    when cache_hit_value = 'true' then 'answer from a cache'
    when actual_output_tokens_value = 0 and not {{ says_truncated('stop_reason_value') }}
        then 'no output counted'
end
{% endset %}

{{ land(
    'litellm',
    each=['[]'],
    left_out=left_out,
    key="coalesce('litellm_spend:' || request_id_value, 'litellm:' || phase_id_value)",
) }}
