{{ config(
    materialized=follows_landing(),
    unique_key='event_id',
    pre_hook='{{ forget_conflicts(["event_id"]) }}',
    post_hook='{{ remember_landing() }}',
) }}

with

calls as {{ inlined() }} (
    {{ accepted_calls('openinference') }}
),

{{ canonical_events('calls') }}

select * from final
