with

estimates as (
    select * from {{ ref('calls') }}
),

final as (
    select
        cast(1 as bigint) as row_no,
        count(*) as events,
        count(case when is_synthetic then 1 end) as test_rows,
        count(case when is_repeated then 1 end) as copies,
        count(case when is_failure_stub then 1 end) as failure_stubs,
        count(case when is_truncated is null then 1 end) as stop_unknown,
        count(case when is_ceiling_unknown then 1 end) as ceiling_unknown,
        count(case when predicted_output_tokens is null then 1 end) as without_prediction,
        count(case when is_count_zero then 1 end) as count_zero
    from estimates
)

select * from final
