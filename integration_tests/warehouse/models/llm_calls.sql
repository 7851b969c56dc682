-- the spend logs of LiteLLM, one row a call that was answered. Ceiling and stop word are there with
-- `store_prompts_in_spend_logs` alone; nothing of a prompt is taken.
{{ config(materialized='table') }}

select
    request_id as event_id,
    "endTime" as occurred_at,
    coalesce(session_id, request_id) as run_id,
    request_id as phase_id,
    custom_llm_provider as provider,
    model,
    team_id as team,
    -- the tag of the client is the proxy's own
    coalesce(
        jsonb_path_query_first(request_tags, '$[*] ? (!(@ starts with "User-Agent:"))') #>> '{}', model_group
    ) as category,
    prompt_tokens as input_tokens,
    completion_tokens as actual_output_tokens,
    cast(metadata #>> '{usage_object,completion_tokens_details,reasoning_tokens}' as bigint)
        as reasoning_tokens,
    cast(coalesce(
        proxy_server_request ->> 'max_completion_tokens',
        proxy_server_request ->> 'max_tokens',
        proxy_server_request ->> 'max_output_tokens'
    ) as bigint) as actual_max_tokens,
    coalesce(
        response #>> '{choices,0,finish_reason}',
        response #>> '{incomplete_details,reason}',
        response ->> 'stop_reason',
        response #>> '{candidates,0,finishReason}',
        response ->> 'status'
    ) as stop_reason,
    coalesce(status, 'success') = 'success' as success
from {{ source('litellm', 'spend_logs') }}
where
    call_type in (
        'completion', 'acompletion', 'text_completion', 'atext_completion', 'responses', 'aresponses',
        'anthropic_messages', 'generate_content', 'agenerate_content', 'generate_content_stream',
        'agenerate_content_stream', 'pass_through_endpoint', 'llm_passthrough_route', 'allm_passthrough_route'
    )
    and coalesce(cache_hit, '') <> 'True'
