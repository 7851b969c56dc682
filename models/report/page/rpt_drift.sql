with

accuracy_drift as (
    select * from {{ ref('accuracy_drift') }}
),

final as (
    select
        drift,
        row_number() over (order by drift_key asc) as row_no
    from accuracy_drift
    where stratification = 'overall'
)

select * from final
