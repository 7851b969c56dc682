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

replays as (
    select * from {{ ref('int_replayed_estimates') }}
),

flagged as (
    select
        events.*,
        replays.replay_basis,
        replays.replay_model,
        replays.replayed_output_tokens,
        replays.assumed_new_count,
        cast(events.occurred_at as date) as occurred_on,
        {{ week_start('events.occurred_at') }} as week_start,
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
    left join replays
        on events.event_id = replays.event_id
),

scored as (
    select
        *,
        {{ estimate_scores() }},
        {{ prediction_scores('replayed_output_tokens', 'replayed_') }}
    from flagged
),

final as (
    select
        event_id,
        occurred_at,
        occurred_on,
        week_start,
        run_id,
        phase_id,
        attempt,
        category,
        complexity,
        labels,
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
        replay_basis,
        replay_model,
        assumed_new_count,
        replayed_output_tokens,
        replayed_smape,
        replayed_estimate_ratio,
        replayed_underestimated,
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
        {{ is_analysed() }} as is_analysed,
        coalesce(estimator_version, 'unknown') as estimator_version,
        coalesce(
            {{ is_finished() }}
            and not is_synthetic and not is_failure_stub and not is_repeated,
            false
        ) as is_clean
    from scored
)

select * from final
