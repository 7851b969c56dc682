with

collection_progress as (
    select * from {{ ref('collection_progress') }}
),

final as (
    select
        target_name,
        samples,
        target_samples,
        groups_with_enough,
        target_groups,
        is_met,
        row_number() over (order by target_no asc) as row_no
    from collection_progress
)

select * from final
