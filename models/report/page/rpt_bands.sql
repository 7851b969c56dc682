with

score_bands as (
    select * from {{ ref('score_bands') }}
),

final as (
    select
        measure,
        band,
        band_label,
        n,
        band_share,
        row_number() over (order by measure desc, band_no asc) as row_no
    from score_bands
)

select * from final
