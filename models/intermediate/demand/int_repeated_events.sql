with

events as (
    select * from {{ ref('int_events') }}
),

-- events with an id are calls of their own
numbered as (
    select
        event_id,
        row_number() over (
            partition by
                run_id, phase_id, attempt,
                predicted_output_tokens, actual_output_tokens
            order by occurred_at asc, source_file asc, line_no asc
        ) as occurrence
    from events
    where not has_event_id
),

final as (
    select event_id
    from numbered
    where occurrence > 1
)

select * from final
