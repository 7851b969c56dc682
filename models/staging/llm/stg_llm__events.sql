{{ config(
    materialized=follows_landing(),
    unique_key='event_id',
    pre_hook='{{ forget_conflicts(["event_id"]) }}',
    post_hook='{{ remember_landing() }}',
) }}

with

accepted as (
    {{ accepted_calls('llm', own=['duration_ms']) }}
),

calls as (
    select
        {{ call_columns('accepted', {
            'occurred_at': 'accepted.occurred_at + coalesce(accepted.duration_ms, 0) * interval 1 millisecond',
            'success': 'true',
        }) }}
    from accepted
),

{{ canonical_events('calls') }}

select * from final
