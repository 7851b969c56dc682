{{ config(
    materialized=follows_landing(),
    unique_key='event_id',
    pre_hook='{{ forget_conflicts(["event_id"]) }}',
    post_hook='{{ remember_landing() }}',
) }}

with

accepted as (
    {{ accepted_calls('answers', own=['output_alone', 'total_tokens']) }}
),

calls as (
    select
        {{ call_columns('accepted', {
            'actual_output_tokens': output_by_total(),
            'success': 'true',
        }) }}
    from accepted
),

{{ canonical_events('calls') }}

select * from final
