{#- What a call is depends on all sessions of one root, so the table is built anew as a whole. -#}
{{ config(materialized='table') }}

with

{{ codex_counts() }}

-- old versions write totals alone: a call is what they grew by
grown_calls as (
    select
        *,
        last_output_tokens is null as is_derived,
        row_number() over (partition by run_id order by occurred_at asc, line_no asc) as call_no,
        coalesce(last_input_tokens, {{ grown('total_input_tokens', 'input_before') }})
            as input_tokens,
        coalesce(last_output_tokens, {{ grown('total_output_tokens', 'output_before') }})
            as output_tokens,
        coalesce(last_reasoning_tokens, {{ grown('total_reasoning_tokens', 'reasoning_before') }})
            as reasoning_tokens
    from counts
    where copy_no = 1
),

calls as (
    select
        {{ call_columns(
            'grown_calls',
            {
                'has_event_id': 'true',
                'phase_id': "run_id || ':' || cast(call_no as string)",
                'labels': "'{\"effort\":\"' || effort || '\"}'",
                'actual_output_tokens': 'grown_calls.output_tokens',
                'quality_flags': 'case when is_derived then ' ~ json_text_list("'[\"derived_usage\"]'") ~ ' end',
                'landing_no': 'root_landing_no',
            },
            has=[
                'event_id', 'occurred_at', 'run_id', 'category', 'provider', 'model', 'input_tokens',
                'reasoning_tokens', 'source_file', 'line_no',
            ],
        ) }}
    from grown_calls
),

{{ canonical_events('calls') }}

select * from final
