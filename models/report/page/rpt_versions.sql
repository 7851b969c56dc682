with

coefficient_versions as (
    select * from {{ ref('coefficient_versions') }}
),

ranked as (
    select
        version_name,
        first_seen,
        last_seen,
        n,
        truncation_rate,
        underestimation_rate,
        median_smape,
        reserved_ratio,
        version_change,
        row_number() over (order by version_no desc) as row_no
    from coefficient_versions
    where slice = 'all'
),

final as (
    select *
    from ranked
    where row_no <= 20
)

select * from final
