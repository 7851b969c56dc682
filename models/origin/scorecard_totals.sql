with

scorecards as (
    select * from {{ ref('acceptance_scorecards') }}
),

final as (
    select
        document,
        count(*) as criteria,
        count(case when status = 'met' then 1 end) as met,
        count(case when status = 'not met' then 1 end) as not_met,
        count(case when status = 'no data' then 1 end) as without_data,
        count(case when status = 'not in telemetry' then 1 end) as not_in_telemetry,
        count(case when published_met then 1 end) as published_met,
        count(case when recomputed_met then 1 end) as recomputed_met
    from scorecards
    group by document
)

select * from final
