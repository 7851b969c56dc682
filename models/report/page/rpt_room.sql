with

scores as (
    select * from {{ ref('scores') }}
),

ranked as (
    select
        stratum,
        n,
        reserved_ratio,
        truncation_rate,
        truncation_lower,
        truncation_upper,
        cast({{ var('target_truncation') }} as double) as target_truncation,
        row_number() over (order by n desc, stratum asc) as row_no
    from scores
    where
        period = 'recent'
        and scope = 'all'
        and slice = 'category / complexity'
),

final as (
    select *
    from ranked
    where row_no <= 20
)

select * from final
