with

truncation_triage as (
    select * from {{ ref('truncation_triage') }}
),

ranked as (
    select
        segmentation,
        segment,
        verdict,
        n_phases,
        n_events,
        median_factor,
        event_mean_factor,
        ceiling_below_prediction_share,
        row_number() over (order by n_phases desc, segmentation asc, segment asc) as row_no
    from truncation_triage
),

final as (
    select *
    from ranked
    where row_no <= 20
)

select * from final
