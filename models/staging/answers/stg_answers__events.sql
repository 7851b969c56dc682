{{ config(
    materialized=follows_landing(),
    unique_key='event_id',
    pre_hook='{{ forget_conflicts(["event_id"]) }}',
    post_hook='{{ remember_landing() }}',
) }}

{#- A response of OpenAI that ended by itself gives no reason; its status says so. -#}
{% set stop_reason %}
coalesce(stop_reason, case when part_of = 'response' then response_status end)
{% endset %}

{#- xAI counts reasoning beside the output, as its total shows. -#}
{% set output %}
case
    when
        accepted.reasoning_tokens > 0
        and accepted.total_tokens
        = accepted.input_tokens + accepted.actual_output_tokens + accepted.reasoning_tokens
        then accepted.actual_output_tokens + accepted.reasoning_tokens
    else {{ output_by_total() }}
end
{% endset %}

with

accepted as (
    {{ accepted_calls(
        'answers', own=['output_alone', 'part_of', 'response_status', 'total_tokens']
    ) }}
),

calls as (
    select
        {{ call_columns('accepted', {
            'actual_output_tokens': output,
            'stop_reason': stop_reason,
        }) }}
    from accepted
),

{{ canonical_events('calls') }}

select * from final
