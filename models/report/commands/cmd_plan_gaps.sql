with

coverage_gaps as (
    select * from {{ ref('coverage_gaps') }}
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
    from coverage_gaps
    where priority <> 'outside the vocabulary'
)

select * from final
