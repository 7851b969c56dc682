with

max_tokens as (
    select * from {{ ref('max_tokens') }}
    where is_seen and estimate_bin = 'all' and input_bin = 'all'
),

ranked as (
    select
        category,
        complexity,
        model,
        max_truncation,
        max_tokens,
        source,
        n,
        is_identified,
        clamped_by,
        row_number() over (
            order by
                category = 'all' desc,
                model = 'all' desc,
                labels asc,
                model asc,
                max_truncation asc
        ) as row_no
    from max_tokens
),

final as (
    select *
    from ranked
    where row_no <= 80
)

select * from final
