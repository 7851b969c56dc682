{{ config(
    materialized=follows_landing(),
    unique_key='event_id',
    pre_hook='{{ forget_conflicts(["event_id"]) }}',
    post_hook='{{ remember_landing() }}',
) }}

with

accepted as (
    {{ accepted_calls(
        'litellm',
        changed=of_changed_traces(ref('base_litellm__lines')),
        own=['trace_id'],
    ) }}
),

-- the calls of one trace are retries of its first one as long as all before them were cut off
in_traces as (
    select
        *,
        row_number() over in_trace as call_no,
        coalesce(sum(
            case
                when {{ says_truncated('stop_reason') }} then 0
                else 1
            end
        ) over before_it, 0) as ended_before,
        first_value(category) over in_trace as first_category,
        max(landing_no) over (partition by coalesce(trace_id, event_id)) as last_landing_no
    from accepted
    window
        in_trace as (
            partition by coalesce(trace_id, event_id)
            order by occurred_at asc, event_id asc
        ),
        before_it as (
            partition by coalesce(trace_id, event_id)
            order by occurred_at asc, event_id asc
            rows between unbounded preceding and 1 preceding
        )
),

retries as (
    select
        *,
        trace_id is not null
        and ended_before = 0
        and coalesce(category, '') = coalesce(first_category, '') as is_of_first_call
    from in_traces
),

calls as (
    select
        {{ call_columns('retries', {
            'phase_id': 'case when is_of_first_call then trace_id else phase_id end',
            'attempt':
                'case when is_of_first_call then call_no when trace_id is not null then 1 end',
            'landing_no': 'last_landing_no',
        }) }}
    from retries
),

{{ canonical_events('calls') }}

select * from final
