with

max_tokens_evidence as (
    select * from {{ ref('max_tokens_evidence') }}
    where cheapest_rate is not null and cost_per_call is not null
),

ranked as (
    select
        {{ label_text('labels', labels()[0]) }} as kind,
        max_truncation,
        n,
        own_quantile_tokens as budget_tokens,
        cost_per_call,
        cost_ratio,
        cheapest_rate,
        row_number() over (order by n desc, labels asc, max_truncation asc) as row_no
    from max_tokens_evidence
),

final as (
    select *
    from ranked
    where row_no <= 40
)

select * from final
