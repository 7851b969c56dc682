{#- What belongs to a call depends on all records that share its ids: built anew as a whole. -#}
{{ config(enabled=is_read(), materialized='table') }}

{% set columns = staged_columns() %}
{% set place = {'source_file': 'text', 'line_no': 'whole', 'record_no': 'whole'} %}
{% set known_stop_class = "case when stop_class <> 'unrecorded' then stop_class end" %}
{% set derived = ['reached_ceiling', 'truncation_evidence', 'is_truncated'] %}
{% set completed = [
    'attempt', 'input_tokens', 'model_served', 'actual_max_tokens', 'actual_output_tokens',
    'reasoning_tokens', 'stop_reason', 'stop_class', 'is_success', 'recorded_quality_flags', 'landing_no',
] %}

with

events as (
    {{ united('stg', 'events', columns) }}
),

lines as (
    {{ united('base', 'lines', dict(place, event_key='text')) }}
),

repeated_lines as (
    {{ united('base', 'repeated_lines', place) }}
),

known as (
    select
        event_id,
        occurred_at,
        landing_no,
        response_id,
        {{ request_of_event() }} as request_id,
        case when not {{ is_counted_in_part() }} then actual_output_tokens end
            as whole_output_tokens,
        {{ record_format() }} as record_format,
        {{ record_place() }} as record_place,
        {{ source_rank() }} as source_rank
    from events
),

keyed as (
    select
        *,
        response_id as call_key
    from known
    where response_id is not null
    union all
    select
        *,
        request_id as call_key
    from known
    where request_id is not null and request_id is distinct from response_id
),

-- one call ends once, with one count: ids that are used again days later, or by records that
-- contradict each other, are of other calls
shared_keys as (
    select
        call_key,
        count(distinct record_place) = count(distinct record_format)
        and max(occurred_at) <= min(occurred_at) + interval '1' day
        and count(distinct whole_output_tokens) <= 1 as is_one_call,
        max(landing_no) as newest_landing_no,
        min(source_rank) as best_rank
    from keyed
    group by call_key
    having count(*) > 1
),

placed as (
    select
        keyed.event_id,
        shared_keys.is_one_call,
        shared_keys.newest_landing_no,
        shared_keys.best_rank,
        first_value(keyed.event_id) over (
            partition by keyed.call_key
            order by keyed.source_rank asc, keyed.occurred_at asc, keyed.event_id asc
        ) as key_home
    from keyed
    inner join shared_keys
        on keyed.call_key = shared_keys.call_key
),

-- a record of two ids belongs where the better known of their records does
near_homes as (
    select
        event_id,
        max(newest_landing_no) as newest_landing_no,
        coalesce(
            {{ value_of_largest('case when is_one_call then key_home end', '-best_rank') }},
            event_id
        ) as home_id
    from placed
    group by event_id
),

homes as (
    select
        near_homes.event_id,
        coalesce(far.home_id, near_homes.home_id) as home_id,
        max(near_homes.newest_landing_no)
            over (partition by coalesce(far.home_id, near_homes.home_id)) as newest_landing_no
    from near_homes
    left join near_homes as far
        on near_homes.home_id = far.event_id
),

records as (
    select
        events.*,
        homes.home_id,
        homes.newest_landing_no,
        events.event_id = homes.home_id as is_counted,
        {{ source_rank() }} as source_rank,
        {{ is_counted_in_part('events.') }} as is_partial
    from events
    inner join homes
        on events.event_id = homes.event_id
),

-- what the other records of a call know, each of the source that knows most of them
others as (
    select
        home_id,
        {{ value_of_largest('attempt', '-source_rank') }} as attempt,
        max(input_tokens) as input_tokens,
        {{ value_of_largest('model_served', '-source_rank') }} as model_served,
        {{ value_of_largest('actual_max_tokens', '-source_rank') }} as actual_max_tokens,
        max(case when not is_partial then actual_output_tokens end) as actual_output_tokens,
        max(case when not is_partial then reasoning_tokens end) as reasoning_tokens,
        {{ value_of_largest('stop_reason', '-source_rank') }} as stop_reason,
        {{ value_of_largest(known_stop_class, '-source_rank') }} as stop_class,
        {{ value_of_largest('is_success', '-source_rank') }} as is_success
    from records
    where not is_counted
    group by home_id
),

-- a count is taken from another record where its own is a part, or nothing says that the call ended
measurable as (
    select
        records.*,
        others.attempt as other_attempt,
        others.input_tokens as other_input_tokens,
        others.model_served as other_model_served,
        others.actual_max_tokens as other_max_tokens,
        others.actual_output_tokens as other_output_tokens,
        others.reasoning_tokens as other_reasoning_tokens,
        others.stop_reason as other_stop_reason,
        others.stop_class as other_stop_class,
        others.is_success as other_success,
        others.home_id is not null as is_completed,
        coalesce(
            (records.is_partial or records.stop_class = 'unrecorded')
            and others.actual_output_tokens >= records.actual_output_tokens,
            false
        ) as is_counted_elsewhere
    from records
    left join others
        on records.event_id = others.home_id
),

counted as (
    select
        source_name,
        {% for name in columns if name not in completed + derived %}
            {{ name }},
        {% endfor %}
        home_id,
        is_counted,
        newest_landing_no as landing_no,
        coalesce(attempt, other_attempt) as attempt,
        coalesce(
            case when is_counted_elsewhere then greatest(input_tokens, other_input_tokens) end,
            input_tokens,
            other_input_tokens
        ) as input_tokens,
        coalesce(model_served, other_model_served) as model_served,
        coalesce(actual_max_tokens, other_max_tokens) as actual_max_tokens,
        case when is_counted_elsewhere then other_output_tokens else actual_output_tokens end
            as actual_output_tokens,
        case
            when is_counted_elsewhere then coalesce(other_reasoning_tokens, reasoning_tokens)
            else coalesce(reasoning_tokens, other_reasoning_tokens)
        end as reasoning_tokens,
        coalesce(stop_reason, other_stop_reason) as stop_reason,
        case
            when stop_class = 'unrecorded' then coalesce(other_stop_class, stop_class)
            else stop_class
        end as stop_class,
        coalesce(is_success, other_success) as is_success,
        case when not is_counted_elsewhere then recorded_quality_flags end
            as recorded_quality_flags
    from measurable
),

{{ judged_truncation('counted') }},

elsewhere as (
    select event_id
    from counted
    where not is_counted
),

-- where a record that counts elsewhere stands: it is a duplicate of its call
accepted as (
    select
        lines.event_key,
        lines.source_file,
        lines.line_no,
        lines.record_no
    from lines
    left join repeated_lines
        on
            lines.source_file = repeated_lines.source_file
            and lines.line_no = repeated_lines.line_no
            and lines.record_no = repeated_lines.record_no
    where
        repeated_lines.line_no is null
        and lines.event_key in (select elsewhere.event_id from elsewhere)
),

{{ located_records('final', 'accepted', columns) }}

select * from located
