{{ config(
    materialized=follows_landing(),
    unique_key='phase_key',
    pre_hook='{{ forget_changed_truncated_phases() }}',
    post_hook='{{ remember_landing() }}',
) }}

with

estimates as (
    select * from {{ ref('calls') }}
),

-- copies of one call stay in: counting a phase once is what makes them harmless
truncated as (
    select
        *,
        coalesce(
            nullif(run_id, 'unknown'),
            max(nullif(run_id, 'unknown')) over (partition by phase_id),
            'unknown'
        ) as known_run_id,
        {{ bound_factor('actual_output_tokens', 'predicted_output_tokens') }} as bound_factor
    from estimates
    where is_truncated and not is_synthetic {{ and_of_changed_truncated_phases() }}
),

-- most phases were cut off once, and have nothing to order
repeated_phases as (
    select
        known_run_id,
        phase_id
    from truncated
    group by known_run_id, phase_id
    having count(*) > 1
),

marked as (
    select
        truncated.*,
        repeated_phases.phase_id is null as is_alone
    from truncated
    left join repeated_phases
        on
            truncated.known_run_id = repeated_phases.known_run_id
            and truncated.phase_id = repeated_phases.phase_id
),

ordered as (
    select
        *,
        row_number() over (
            partition by known_run_id, phase_id
            order by occurred_at desc, actual_output_tokens desc, event_id asc
        ) as recency
    from marked
    where not is_alone
),

phases as (
    select
        known_run_id as run_id,
        phase_id,
        cast(1 as bigint) as n_events,
        occurred_at as first_seen,
        occurred_at as last_seen,
        coalesce(category, 'unknown') as category,
        coalesce(complexity, 'unknown') as complexity,
        deliverable_bucket,
        predicted_output_tokens,
        ceiling_tokens,
        actual_output_tokens as output_bound,
        bound_factor as event_mean_factor
    from marked
    where is_alone
    union all
    select
        known_run_id as run_id,
        phase_id,
        count(*) as n_events,
        min(occurred_at) as first_seen,
        max(occurred_at) as last_seen,
        max(case when recency = 1 then coalesce(category, 'unknown') end) as category,
        max(case when recency = 1 then coalesce(complexity, 'unknown') end) as complexity,
        max(case when recency = 1 then deliverable_bucket end) as deliverable_bucket,
        max(case when recency = 1 then predicted_output_tokens end) as predicted_output_tokens,
        max(case when recency = 1 then ceiling_tokens end) as ceiling_tokens,
        max(actual_output_tokens) as output_bound,
        avg(bound_factor) as event_mean_factor
    from ordered
    group by known_run_id, phase_id
),

final as (
    select
        {{ key_of(['run_id', 'phase_id']) }} as phase_key,
        run_id,
        phase_id,
        category,
        complexity,
        deliverable_bucket,
        n_events,
        first_seen,
        last_seen,
        predicted_output_tokens,
        ceiling_tokens,
        output_bound,
        {{ bound_factor('output_bound', 'predicted_output_tokens') }} as bound_factor,
        event_mean_factor,
        ceiling_tokens < predicted_output_tokens as is_ceiling_below_prediction
    from phases
)

select * from final
