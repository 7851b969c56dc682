{#-
    Spans of agents, chains and tools sum up the calls below them: leaves alone count. The Gemini CLI and
    Qwen Code log a call in their own words and once more in those of the conventions.
-#}
{% set left_out %}
case
    when log_time_value is not null
        then case
            when
                coalesce(event_name_value, '') not in (
                    'claude_code.api_request', 'codex.sse_event', 'gemini_cli.api_response',
                    'qwen-code.api_response', 'gen_ai.client.inference.operation.details'
                )
                then 'another log record'
            when
                event_name_value = 'gen_ai.client.inference.operation.details'
                and service_value in ('gemini-cli', 'qwen-code')
                then 'told by another log record'
            when choices_value > 1 then 'several choices'
            when actual_output_tokens is null then 'no output counted'
        end
    when span_id_value is null then 'no span'
    when
        not {{ is_call_of_model() }}
        and coalesce(event_name_value, '') <> 'claude_code.llm_request'
        then 'no call of a model'
    when choices_value > 1 then 'several choices'
    when actual_output_tokens is null then 'no output counted'
end
{% endset %}

{% set key %}
case
    when log_time_value is null then 'otlp:' || trace_id_value || ':' || span_id_value
    else 'otlp_log:' || coalesce(session_id_value, '') || ':'
        || coalesce(request_id_value, sequence_no_value, log_time_value)
end
{% endset %}

{{ land(
    'otel',
    each=['resourceSpans[].scopeSpans[].spans[]', 'resourceLogs[].scopeLogs[].logRecords[]'],
    left_out=left_out,
    key=key,
) }}
