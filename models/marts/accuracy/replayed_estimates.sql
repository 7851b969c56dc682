{{ config(
    materialized=follows_landing(),
    unique_key=['run_id', 'phase_id'],
    pre_hook='{{ forget_conflicts(["run_id", "phase_id"]) }}',
    post_hook='{{ remember_landing() }}',
) }}

with

estimates as (
    select * from {{ ref('estimates') }}
    {{ of_changed_phases() }}
),

replays as (
    select * from {{ ref('int_replayed_estimates') }}
),

joined as (
    select
        estimates.*,
        replays.replay_basis,
        replays.replay_model,
        replays.replayed_output_tokens,
        replays.assumed_new_count
    from estimates
    inner join replays
        on estimates.event_id = replays.event_id
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
        predicted_output_tokens,
        replay_basis,
        replay_model,
        assumed_new_count,
        replayed_output_tokens,
        actual_output_tokens,
        is_truncated,
        is_success,
        is_clean,
        smape,
        estimate_ratio,
        underestimated,
        {{ is_analysed() }} as is_analysed,
        {{ prediction_scores('replayed_output_tokens', 'replayed_') }}
    from joined
)

select * from final
