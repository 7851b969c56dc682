{#- Which copy counts depends on all files of a session: the table is built anew as a whole. -#}
{{ config(materialized='table') }}

with

{{ gemini_cli_messages() }}

calls as (
    select
        {{ call_columns(
            'messages',
            {
                'has_event_id': 'true',
                'actual_output_tokens': output_by_total('messages'),
                'success': 'true',
                'landing_no': 'newest_landing_no',
            },
            has=[
                'event_id', 'occurred_at', 'run_id', 'phase_id', 'category', 'provider', 'model',
                'input_tokens', 'reasoning_tokens', 'source_file', 'line_no',
            ],
        ) }}
    from messages
    where messages.copy_no = 1
),

{{ canonical_events('calls') }}

select * from final
