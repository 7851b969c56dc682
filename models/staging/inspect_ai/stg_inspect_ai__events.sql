{{ config(
    materialized=follows_landing(),
    unique_key='event_id',
    pre_hook='{{ forget_conflicts(["event_id"]) }}',
    post_hook='{{ remember_landing() }}',
) }}

with

accepted as (
    {{ accepted_calls('inspect_ai', own=['role']) }}
),

calls as (
    select
        {{ call_columns('accepted', {
            'category': "accepted.category || coalesce('/' || accepted.role, '')",
            'success': 'true',
        }) }}
    from accepted
),

{{ canonical_events('calls') }}

select * from final
