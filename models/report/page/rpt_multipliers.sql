with

multipliers as (
    select * from {{ ref('multipliers') }}
),

ranked as (
    select
        method,
        estimator_version,
        category,
        complexity,
        n,
        multiplier,
        confidence,
        action,
        is_exported,
        gate_note,
        row_number() over (order by method asc, n desc, multiplier_key asc) as row_no
    from multipliers
    where method in ('median_shrunk', 't5_exact')
),

final as (
    select *
    from ranked
    where row_no <= 40
)

select * from final
