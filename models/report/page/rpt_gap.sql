with

collection_plan as (
    select * from {{ ref('collection_plan') }}
),

ranked as (
    select
        category,
        complexity,
        deliverable_bucket,
        first_of_its,
        needed_for_minimum,
        row_number() over (order by gap_rank asc) as row_no
    from collection_plan
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
