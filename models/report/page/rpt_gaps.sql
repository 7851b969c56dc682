with

coverage_gaps as (
    select * from {{ ref('coverage_gaps') }}
),

ranked as (
    select
        gap_rank,
        category,
        complexity,
        deliverable_bucket,
        n,
        n_clean,
        needed_for_minimum,
        first_of_its,
        priority,
        row_number() over (order by gap_rank asc) as row_no
    from coverage_gaps
    where priority <> 'enough for the minimum'
),

final as (
    select *
    from ranked
    where row_no <= 10
)

select * from final
