{{ config(
    materialized=follows_landing(),
    unique_key='event_id',
    pre_hook='{{ forget_conflicts(["event_id"]) }}',
    post_hook='{{ remember_landing() }}',
) }}

with

accepted as (
    {{ accepted_calls(
        'openinference',
        changed=of_changed_traces(ref('base_openinference__lines')),
        own=['trace_id', 'span_id', 'parent_id'],
    ) }}
),

{{ twin_spans('accepted') }},

calls as (
    select
        {{ call_columns('accepted', {
            'response_id': 'coalesce(accepted.response_id, twins.response_id)',
            'landing_no': 'greatest(accepted.landing_no, coalesce(twins.landing_no, 0))',
        }) }}
    from accepted
    left join twins
        on accepted.event_id = twins.event_id
),

{{ canonical_events('calls') }}

select * from final
