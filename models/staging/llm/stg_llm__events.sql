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

-- its time is that of its start; no call takes a day
timed as (
    select
        *,
        case when duration_ms between 0 and 86400000 then duration_ms else 0 end as call_ms
    from accepted
),

calls as (
    select
        {{ call_columns('timed', {
            'occurred_at': 'timed.occurred_at + timed.call_ms * interval 1 millisecond',
            'success': 'true',
        }) }}
    from timed
),

{{ canonical_events('calls') }}

select * from final
