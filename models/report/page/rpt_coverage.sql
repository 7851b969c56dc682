with

group_verdicts as (
    select * from {{ ref('group_verdicts') }}
),

ranked as (
    select
        category,
        complexity,
        n,
        n_clean,
        verdict,
        needed,
        row_number() over (order by category asc, complexity asc) as row_no
    from group_verdicts
),

final as (
    select *
    from ranked
    where row_no <= 400
)

select * from final
