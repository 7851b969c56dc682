with

rejected_lines as (
    select * from {{ ref('rejected_lines') }}
),

counted as (
    select
        reject_reason,
        reject_fields,
        count(*) as n,
        min(source_file) as first_file
    from rejected_lines
    group by reject_reason, reject_fields
),

ranked as (
    select
        *,
        row_number() over (order by n desc, reject_reason asc, reject_fields asc) as row_no
    from counted
),

final as (
    select *
    from ranked
    where row_no <= 20
)

select * from final
