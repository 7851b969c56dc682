with

coverage_gaps as (
    select * from {{ ref('coverage_gaps') }}
),

ranked as (
    select
        category,
        complexity,
        deliverable_bucket,
        first_of_its,
        needed_for_minimum,
        row_number() over (order by gap_rank asc) as row_no
    from coverage_gaps
    where
        needed_for_minimum > 0
        and priority <> 'outside the vocabulary'
),

final as (
    select *
    from ranked
    where row_no <= 1
)

select * from final
