with

collection_plan as (
    select * from {{ ref('collection_plan') }}
),

final as (
    select
        category,
        complexity,
        deliverable_bucket,
        n_clean,
        needed_for_minimum,
        needed_for_production,
        needed_for_optimal,
        row_number() over (order by gap_rank asc) as row_no
    from collection_plan
    where priority <> 'outside the vocabulary'
)

select * from final
