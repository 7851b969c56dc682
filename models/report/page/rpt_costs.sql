with

costs as (
    select * from {{ ref('costs') }}
),

ranked as (
    select
        model,
        week_start,
        n,
        n_cut_off,
        output_tokens,
        cut_off_tokens,
        reserved_tokens,
        reserved_ratio,
        spent,
        spent_on_cut_off,
        price_source,
        row_number() over (order by week_start desc, n desc, model asc) as row_no
    from costs
),

-- the newest week is summed up above the table, so all of it is here
final as (
    select *
    from ranked
    where row_no <= 40 or week_start = (select max(costs.week_start) from costs)
)

select * from final
