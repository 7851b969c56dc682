with

truncated_phases as (
    select * from {{ ref('truncated_phases') }}
),

ranked as (
    select
        phase_id,
        run_id,
        category,
        complexity,
        n_events,
        ceiling_tokens,
        output_bound,
        bound_factor,
        last_seen,
        row_number() over (order by last_seen desc, phase_key asc) as row_no
    from truncated_phases
),

final as (
    select *
    from ranked
    where row_no <= 20
)

select * from final
