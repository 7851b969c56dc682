{{ config(
    materialized=follows_landing(),
    unique_key='event_id',
    pre_hook='{{ forget_conflicts(["event_id"]) }}',
    post_hook='{{ remember_landing() }}',
) }}

with

{{ batch_calls('gemini_batch', file_time=true) }}

{{ canonical_events('calls') }}

select * from final
