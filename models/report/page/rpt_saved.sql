with

what_if as (
    select * from {{ ref('what_if') }}
),

ranked as (
    select
        category,
        complexity,
        quantile,
        new_ceiling,
        n_truncated,
        n_known_saved,
        n_saved_at_most,
        extra_reserved_tokens,
        row_number() over (
            order by
                n_truncated desc,
                category asc,
                complexity asc,
                quantile asc
        ) as row_no
    from what_if
),

final as (
    select *
    from ranked
    where row_no <= 36
)

select * from final
