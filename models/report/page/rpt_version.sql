with

coefficient_versions as (
    select * from {{ ref('coefficient_versions') }}
),

ranked as (
    select
        version_name,
        previous_version,
        version_change,
        truncation_change,
        truncation_rate,
        previous_truncation_rate,
        underestimation_rate,
        previous_underestimation_rate,
        row_number() over (order by version_no desc) as row_no
    from coefficient_versions
    where slice = 'all'
),

final as (
    select *
    from ranked
    where row_no <= 1
)

select * from final
