{{ config(
    materialized=follows_landing(),
    unique_key=['run_id', 'phase_id'],
    pre_hook='{{ forget_conflicts(["run_id", "phase_id"]) }}',
    post_hook='{{ remember_landing() }}',
) }}

with

events as (
    select * from {{ ref('int_events') }}
    {{ of_changed_phases() }}
),

repeated_events as (
    select * from {{ ref('int_repeated_events') }}
),

flagged as (
    select
        events.*,
        events.actual_max_tokens is null as is_ceiling_unknown,
        {{ deliverable_bucket('events.deliverable_count') }} as deliverable_bucket,
        coalesce(events.actual_max_tokens, events.selected_budget) as ceiling_tokens,
        {{ is_synthetic('events.run_id', 'events.recorded_quality_flags') }}
            as is_synthetic,
        {{ is_failure_stub('events.actual_output_tokens', 'events.is_success') }}
            as is_failure_stub,
        repeated_events.event_id is not null as is_repeated,
        coalesce(events.deliverable_count = 0, false) as is_count_zero
    from events
    left join repeated_events
        on events.event_id = repeated_events.event_id
),

scored as (
    select
        *,
        {{ estimate_scores() }}
    from flagged
),

final as (
    select
        event_id,
        occurred_at,
        run_id,
        phase_id,
        attempt,
        category,
        complexity,
        deliverable_count,
        deliverable_bucket,
        provider,
        model,
        input_tokens,
        coefficients_id,
        predicted_output_tokens,
        selected_budget,
        actual_max_tokens,
        ceiling_tokens,
        actual_output_tokens,
        reasoning_tokens,
        stop_reason,
        stop_class,
        truncation_evidence,
        is_truncated,
        is_success,
        is_control,
        smape,
        log_error,
        estimate_ratio,
        ceiling_ratio,
        underestimated,
        is_synthetic,
        is_failure_stub,
        is_repeated,
        is_count_zero,
        is_ceiling_unknown,
        recorded_smape,
        recorded_estimate_ratio,
        recorded_underestimated,
        source_file,
        line_no,
        landing_no,
        coalesce(estimator_version, 'unknown') as estimator_version,
        coalesce(
            {{ is_finished() }}
            and not is_synthetic and not is_failure_stub and not is_repeated,
            false
        ) as is_clean
    from scored
)

select * from final
