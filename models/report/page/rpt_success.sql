with

scores as (
    select * from {{ ref('scores') }}
),

final as (
    select
        complexity,
        n_outcome,
        n_success,
        success_rate,
        success_lower,
        success_upper,
        is_small_sample,
        row_number() over (order by complexity asc) as row_no
    from scores
    where
        period = 'all'
        and scope = 'all'
        and slice = 'complexity'
)

select * from final
