with

events as (
    select * from {{ ref('int_events') }}
),

-- events with an id are calls of their own; one of an unknown run belongs to the run of its like
placed as (
    select
        event_id,
        occurred_at,
        source_file,
        line_no,
        phase_id,
        attempt,
        predicted_output_tokens,
        actual_output_tokens,
        run_id = 'unknown' as is_run_unknown,
        coalesce(
            nullif(run_id, 'unknown'),
            max(nullif(run_id, 'unknown')) over (
                partition by phase_id, attempt, predicted_output_tokens, actual_output_tokens
            ),
            run_id
        ) as known_run_id
    from events
    where not has_event_id
),

numbered as (
    select
        event_id,
        row_number() over (
            partition by
                known_run_id, phase_id, attempt,
                predicted_output_tokens, actual_output_tokens
            order by is_run_unknown asc, occurred_at asc, source_file asc, line_no asc
        ) as occurrence
    from placed
),

final as (
    select event_id
    from numbered
    where occurrence > 1
)

select * from final
