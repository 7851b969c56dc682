with

collection_plan as (
    select * from {{ ref('collection_plan') }}
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
    from collection_plan
    where priority <> 'enough for the minimum'
),

final as (
    select *
    from ranked
    where row_no <= 10
)

select * from final
