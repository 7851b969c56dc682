with

group_advice as (
    select * from {{ ref('int_group_advice') }}
),

final as (
    select
        *,
        row_number() over (
            order by
                max_truncation asc,
                case when truncation_rate > max_truncation then 0 else 1 end asc,
                n_truncated desc,
                n desc,
                labels asc
        ) as row_no
    from group_advice
)

select * from final
