with

files as (
    select * from {{ ref('files') }}
),

ranked as (
    select
        source_file,
        lines,
        accepted,
        duplicate,
        quarantined,
        blank,
        other,
        is_in_flight,
        is_present,
        row_number() over (order by quarantined desc, lines desc, source_file asc) as row_no
    from files
),

final as (
    select *
    from ranked
    where row_no <= 30
)

select * from final
