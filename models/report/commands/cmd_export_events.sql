with

events as (
    select * from {{ ref('int_events') }}
),

repeated_events as (
    select * from {{ ref('int_repeated_events') }}
),

final as (
    select
        events.event_id,
        events.occurred_at,
        events.run_id,
        events.phase_id,
        events.attempt,
        events.recorded_category as category,
        events.recorded_complexity as complexity,
        events.labels,
        events.deliverables,
        events.deliverable_count,
        events.breakdown,
        events.provider,
        events.model,
        events.model_served,
        events.response_id,
        events.input_tokens,
        events.coefficients_id,
        events.estimator_version,
        events.predicted_output_tokens,
        events.selected_budget,
        events.budget_source,
        events.max_truncation,
        events.actual_max_tokens,
        events.actual_output_tokens,
        events.reasoning_tokens,
        events.stop_reason,
        events.recorded_truncated as truncated,
        events.is_success as success,
        events.is_control,
        events.recorded_quality_flags as quality_flags,
        events.recorded_smape as smape_percent,
        events.recorded_estimate_ratio as waste_ratio,
        events.recorded_underestimated as underestimated,
        events.category as canonical_category,
        events.complexity as canonical_complexity,
        events.is_truncated,
        row_number() over (order by events.occurred_at asc, events.event_id asc) as row_no
    from events
    left join repeated_events
        on events.event_id = repeated_events.event_id
    where repeated_events.event_id is null
)

select * from final
