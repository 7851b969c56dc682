{{ config(
    materialized=follows_landing(),
    unique_key=['run_id', 'phase_id'],
    pre_hook='{{ forget_conflicts(["run_id", "phase_id"]) }}',
    post_hook='{{ remember_landing() }}',
) }}

{% set in_call -%}
    (
        partition by run_id, phase_id, call_of_phase order by attempt asc
        rows between unbounded preceding and unbounded following
    )
{%- endset %}

with

events as {{ inlined() if not is_incremental() }} (
    select *{{ further_label_columns('labels') }}
    from {{ ref('int_events') }}
    {{ of_changed_phases() }}
),

repeated_events as (
    select * from {{ ref('int_repeated_events') }}
),

-- most phases are one event, and need no search for retries
retried_phases as (
    select
        run_id,
        phase_id
    from events
    group by run_id, phase_id
    having count(*) > 1
),

marked as (
    select
        events.*,
        repeated_events.event_id is not null as is_repeated,
        retried_phases.run_id is null as is_alone
    from events
    left join repeated_events
        on events.event_id = repeated_events.event_id
    left join retried_phases
        on
            events.run_id = retried_phases.run_id
            and events.phase_id = retried_phases.phase_id
),

judged as (
    select
        event_id,
        occurred_at,
        run_id,
        phase_id,
        attempt,
        {{ label_columns() }},
        model,
        input_tokens,
        is_control,
        is_truncated,
        actual_output_tokens,
        is_alone,
        coefficients_id,
        max_truncation,
        {{ ran_under_quantile() }} as ran_under_quantile,
        {{ unusable_reason() }} as unusable_reason,
        {{ is_starved() }} as is_starved,
        {{ attempt_outcome() }} as outcome,
        {{ censoring_bound() }} as bound_tokens
    from marked
),

-- a retry has a higher attempt number than the event of its phase before it
numbered as (
    select
        *,
        case
            when
                attempt > lag(attempt) over (
                    partition by run_id, phase_id
                    order by occurred_at asc, attempt asc, event_id asc
                )
                then 0
            else 1
        end as starts_call
    from judged
    where unusable_reason is null and attempt is not null and not is_alone
),

linked as (
    select
        *,
        sum(starts_call) over (
            partition by run_id, phase_id
            order by occurred_at asc, attempt asc, event_id asc
            rows between unbounded preceding and current row
        ) as call_of_phase
    from numbered
),

-- what decides of a call is its last attempt that finished or was cut off
attempts as (
    select
        *,
        first_value(event_id) over {{ in_call }} as call_id,
        first_value(is_truncated) over {{ in_call }} as is_first_truncated,
        first_value(ran_under_quantile) over {{ in_call }} as is_first_under_quantile,
        first_value(coefficients_id) over {{ in_call }} as first_coefficients_id,
        first_value(max_truncation) over {{ in_call }} as first_max_truncation,
        max(case when outcome = 'censored' then bound_tokens end) over {{ in_call }}
            as most_bound_tokens,
        count(*) over {{ in_call }} as n_attempts,
        row_number() over (
            partition by run_id, phase_id, call_of_phase
            order by
                case when outcome in ('observed', 'censored') then 0 else 1 end asc,
                attempt desc
        ) as decides
    from linked
),

linked_calls as (
    select
        call_id,
        event_id,
        occurred_at,
        run_id,
        phase_id,
        {{ label_columns() }},
        model,
        input_tokens,
        is_control,
        actual_output_tokens,
        n_attempts,
        is_first_truncated,
        is_first_under_quantile,
        first_coefficients_id,
        first_max_truncation,
        unusable_reason,
        is_starved,
        outcome,
        most_bound_tokens
    from attempts
    where decides = 1
),

single_calls as (
    select
        event_id as call_id,
        event_id,
        occurred_at,
        run_id,
        phase_id,
        {{ label_columns() }},
        model,
        input_tokens,
        is_control,
        actual_output_tokens,
        1 as n_attempts,
        is_truncated as is_first_truncated,
        ran_under_quantile as is_first_under_quantile,
        coefficients_id as first_coefficients_id,
        max_truncation as first_max_truncation,
        unusable_reason,
        is_starved,
        outcome,
        bound_tokens as most_bound_tokens
    from judged
    where unusable_reason is not null or attempt is null or is_alone
),

calls as (
    select * from linked_calls
    union all
    select * from single_calls
),

explained as (
    select
        *,
        case
            when unusable_reason is not null then unusable_reason
            when outcome not in ('observed', 'censored') then outcome
        end as excluded_reason
    from calls
),

final as (
    select
        call_id,
        event_id,
        occurred_at,
        run_id,
        phase_id,
        {{ label_columns() }},
        model,
        input_tokens,
        {{ input_bin('input_tokens') }} as input_bin,
        is_control,
        is_first_truncated,
        is_first_under_quantile,
        first_coefficients_id,
        first_max_truncation,
        cast(n_attempts as bigint) as n_attempts,
        case when excluded_reason is null then outcome else 'excluded' end as demand_state,
        excluded_reason,
        excluded_reason is null and is_starved as is_starved,
        actual_output_tokens,
        case
            when excluded_reason is null and outcome = 'observed' then actual_output_tokens
            when excluded_reason is null then most_bound_tokens
        end as demand_tokens
    from explained
)

select * from final
