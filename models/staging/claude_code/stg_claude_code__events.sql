{{ config(
    materialized=follows_landing(),
    unique_key='event_id',
    pre_hook='{{ forget_conflicts(["event_id"]) }}',
    post_hook='{{ remember_landing() }}',
) }}

with

lines as (
    select * from {{ ref('base_claude_code__lines') }}
),

-- all lines of the calls of which a line has landed
event_lines as (
    select
        *,
        source_file like '%agent-acompact-%' as is_compaction,
        coalesce(is_sidechain = 'true', false) as is_in_sidechain
    from lines
    where event_key is not null {{ and_of_new_ids('lines') }}
),

-- one copy of a call: its lines in one session of one file
copies as (
    select
        event_key,
        run_id,
        source_file,
        is_compaction,
        is_in_sidechain,
        min(occurred_at) as started_at,
        max(occurred_at) as occurred_at,
        max(line_no) as line_no,
        sum(coalesce(visible_characters, 0)) as visible_characters
    from event_lines
    group by event_key, run_id, source_file, is_compaction, is_in_sidechain
),

-- its home is the main thread before a sidechain, then the copy that began first
ranked_copies as (
    select
        *,
        max(visible_characters) over (partition by event_key) as most_characters,
        row_number() over (
            partition by event_key
            order by is_in_sidechain asc, started_at asc, source_file asc, run_id asc
        ) as copy_no
    from copies
),

-- counts grow from line to line, and the last word on how it ended is on the last line
counted as (
    select
        event_key,
        max(phase_id) as phase_id,
        {{ value_of_largest('labels', 'length(labels)') }} as labels,
        max(model) as model,
        max(input_tokens) as input_tokens,
        max(actual_output_tokens) as actual_output_tokens,
        max(reasoning_tokens) as reasoning_tokens,
        max(stop_reason) as stop_reason,
        max(said_maximum) as said_maximum,
        max(landing_no) as landing_no
    from event_lines
    group by event_key
),

described as (
    select
        counted.*,
        homes.occurred_at,
        homes.source_file,
        homes.line_no,
        coalesce(homes.run_id, homes.source_file) as run_id,
        case
            when homes.is_compaction then 'compaction'
            when homes.is_in_sidechain then 'subagent'
            else 'main'
        end as category,
        -- no model writes more than eight characters a token: the count is a stream snapshot
        coalesce(homes.most_characters > 8 * counted.actual_output_tokens, false)
        and counted.said_maximum is null as is_partial
    from counted
    inner join ranked_copies as homes
        on counted.event_key = homes.event_key and homes.copy_no = 1
),

-- the line that says that the ceiling was exceeded is no answer: it names neither model nor counts
calls as (
    select
        {{ call_columns(
            'described',
            {
                'event_id': 'event_key',
                'has_event_id': 'true',
                'provider': "'anthropic'",
                'model': 'case when said_maximum is null then model end',
                'response_id': 'phase_id',
                'input_tokens': 'case when said_maximum is null then input_tokens end',
                'actual_max_tokens': 'said_maximum',
                'actual_output_tokens': 'coalesce(said_maximum, actual_output_tokens)',
                'stop_reason': "case when said_maximum is null then stop_reason else 'max_tokens' end",
                'success': 'case when said_maximum is not null then false when not is_partial then true end',
                'quality_flags': 'case when is_partial then ' ~ json_text_list("'[\"partial_usage\"]'") ~ ' end',
            },
            has=[
                'occurred_at', 'run_id', 'phase_id', 'category', 'labels', 'reasoning_tokens',
                'source_file', 'line_no', 'landing_no',
            ],
        ) }}
    from described
),

{{ canonical_events('calls') }}

select * from final
