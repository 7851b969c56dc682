with

line_accounting as (
    select * from {{ ref('line_accounting') }}
),

ranked as (
    select
        source_file,
        lines,
        accepted,
        duplicate,
        quarantined,
        blank,
        is_in_flight,
        is_present,
        row_number() over (order by quarantined desc, lines desc, source_file asc) as row_no
    from line_accounting
),

final as (
    select *
    from ranked
    where row_no <= 30
)

select * from final
