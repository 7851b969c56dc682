with

coefficient_versions as (
    select * from {{ ref('coefficient_versions') }}
),

final as (
    select
        drift,
        row_number() over (order by version_no asc) as row_no
    from coefficient_versions
    where slice = 'all' and version_no = 1
)

select * from final
