with

coefficients as (
    select * from {{ ref('coefficients') }}
),

final as (
    select
        kind,
        category,
        complexity,
        labels,
        model,
        input_bin,
        max_truncation,
        round(value, 6) as value,
        row_number() over (order by coefficient_key asc) as row_no
    from coefficients
    where n is not null
)

select * from final
