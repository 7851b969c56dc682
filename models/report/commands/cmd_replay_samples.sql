with

calls as (
    select * from {{ ref('calls') }}
),

final as (
    select
        event_id,
        occurred_at,
        run_id,
        phase_id,
        category,
        complexity,
        deliverable_count,
        estimator_version,
        actual_output_tokens,
        is_truncated,
        predicted_output_tokens,
        replayed_output_tokens,
        smape,
        replayed_smape,
        estimate_ratio,
        replayed_estimate_ratio,
        underestimated,
        replayed_underestimated,
        replay_basis,
        replay_model,
        assumed_new_count,
        is_analysed,
        row_number() over (order by occurred_at asc, event_id asc) as row_no
    from calls
    where predicted_output_tokens is not null or replayed_output_tokens is not null
)

select * from final
