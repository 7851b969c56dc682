with

multipliers as (
    select * from {{ ref('multipliers') }}
),

final as (
    select
        category,
        complexity,
        method,
        estimator_version,
        n,
        multiplier,
        confidence,
        action,
        is_exported,
        row_number() over (
            order by
                category asc,
                complexity asc,
                method asc,
                estimator_version asc
        ) as row_no
    from multipliers
    where method in ('t5_exact', 'median_shrunk')
)

select * from final
