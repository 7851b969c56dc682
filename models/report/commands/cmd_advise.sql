with

group_advice as (
    select * from {{ ref('int_group_advice') }}
),

final as (
    select
        call_group,
        labels,
        max_truncation,
        n,
        n_known,
        n_truncated,
        truncation_rate,
        n_without_stop_word,
        n_left_out,
        n_with_ceiling,
        n_with_recorded_ceiling,
        usual_ceiling_tokens,
        least_ceiling_tokens,
        most_ceiling_tokens,
        most_output_tokens,
        n_observed,
        has_enough_calls,
        has_quantile,
        verdict,
        reason,
        proposed_tokens,
        is_at_least,
        reserved_tokens,
        freed_tokens,
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
