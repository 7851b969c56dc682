{{ config(
    materialized=follows_landing(),
    unique_key='event_id',
    pre_hook='{{ forget_conflicts(["event_id"]) }}',
    post_hook='{{ remember_landing() }}',
) }}

with

accepted as (
    {{ accepted_calls('langfuse', own=['input_alone', 'output_alone', 'total_tokens']) }}
),

-- buckets are exclusive, unless their total says that the input holds its caches, or the output its
-- reasoning, or both
calls as (
    select
        {{ call_columns('accepted', {
            'input_tokens':
                'case when total_tokens in (input_alone + output_alone, input_alone + actual_output_tokens)'
                ~ ' and total_tokens <> input_tokens + output_alone then input_alone else input_tokens end',
            'actual_output_tokens':
                'case when total_tokens in (coalesce(input_alone, 0) + output_alone,'
                ~ ' coalesce(input_tokens, 0) + output_alone) then output_alone else actual_output_tokens end',
        }) }}
    from accepted
),

{{ canonical_events('calls') }}

select * from final
