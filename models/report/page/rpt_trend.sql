with

scores as (
    select * from {{ ref('scores') }}
),

ranked as (
    select
        period_start,
        n,
        n_stop_known,
        underestimation_rate,
        underestimation_lower,
        underestimation_upper,
        truncation_rate,
        truncation_lower,
        truncation_upper,
        median_smape,
        reserved_ratio,
        row_number() over (order by period_start desc) as row_no
    from scores
    where
        period = 'week'
        and slice = 'all'
        and {{ is_until_as_of('period_start') }}
),

final as (
    select *
    from ranked
    where row_no <= 26
)

select * from final
