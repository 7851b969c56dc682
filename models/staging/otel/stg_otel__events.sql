{{ config(
    materialized=follows_landing(),
    unique_key='event_id',
    pre_hook='{{ forget_conflicts(["event_id"]) }}',
    post_hook='{{ remember_landing() }}',
) }}

with

lines as (
    select * from {{ ref('base_otel__lines') }}
),

accepted as (
    {{ accepted_calls(
        'otel',
        changed=of_changed_traces(ref('base_otel__lines')),
        own=[
            'trace_id', 'span_id', 'parent_id', 'service', 'error', 'status_code', 'output_alone',
            'total_tokens',
        ],
    ) }}
),

-- the span above a call may tell which agent made it
agents as (
    select
        trace_id,
        span_id,
        max(agent) as agent,
        max(landing_no) as agent_landing_no
    from lines
    where agent is not null
    group by trace_id, span_id
),

{{ twin_spans('accepted') }},

calls as (
    select
        {{ call_columns('accepted', {
            'response_id': 'coalesce(accepted.response_id, twins.response_id)',
            'actual_output_tokens': output_by_total(),
            'category': 'coalesce(accepted.category, agents.agent, accepted.service)',
            'success': "accepted.error is null"
                ~ " and coalesce(accepted.status_code, '0') not in ('2', 'status_code_error')",
            'landing_no': 'greatest(accepted.landing_no, coalesce(agents.agent_landing_no, 0),'
                ~ ' coalesce(twins.landing_no, 0))',
        }) }}
    from accepted
    left join agents
        on accepted.trace_id = agents.trace_id and accepted.parent_id = agents.span_id
    left join twins
        on accepted.event_id = twins.event_id
),

{{ canonical_events('calls') }}

select * from final
