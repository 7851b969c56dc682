with

estimates as (
    select * from {{ ref('calls') }}
),

ranked as (
    select
        phase_id,
        category,
        complexity,
        predicted_output_tokens,
        actual_output_tokens,
        coalesce(is_truncated, false) as is_truncated,
        row_number() over (order by coalesce(is_truncated, false) desc, md5(event_id) asc) as row_no
    from estimates
    where
        deliverable_count > 0
        and predicted_output_tokens > 0
        and actual_output_tokens > 0
        and {{ is_analysed() }}
),

final as (
    select *
    from ranked
    where row_no <= 1500
)

select * from final
