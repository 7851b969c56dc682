{% set alike = label_columns().split(', ') + [
    'deliverable_bucket',
    'model',
    'coefficients_id',
    'estimator_version',
    'predicted_output_tokens',
    'replayed_output_tokens',
    'actual_output_tokens',
    'ceiling_tokens',
    'is_truncated',
    'is_success',
    'is_clean',
    'is_synthetic',
    'is_repeated',
    'is_ceiling_unknown',
    'is_recent',
    'is_until_as_of',
] %}

with

calls as {{ inlined() }} (
    select *{{ further_label_columns('labels') }}
    from {{ ref('calls') }}
),

clock as (
    select * from {{ ref('int_window') }}
),

placed as (
    select
        calls.occurred_at,
        calls.estimator_version,
        calls.deliverable_bucket,
        calls.predicted_output_tokens,
        calls.replayed_output_tokens,
        calls.actual_output_tokens,
        calls.ceiling_tokens,
        calls.assumed_new_count,
        calls.is_truncated,
        calls.is_success,
        calls.is_clean,
        calls.is_synthetic,
        calls.is_repeated,
        calls.is_ceiling_unknown,
        {{ known_labels() }},
        coalesce(calls.model, 'unknown') as model,
        coalesce(calls.coefficients_id, 'unknown') as coefficients_id,
        calls.occurred_at > {{ recent_from('clock.ends_at') }}
        and {{ is_until_as_of('calls.occurred_at') }} as is_recent,
        {{ is_until_as_of('calls.occurred_at') }} as is_until_as_of
    from calls
    cross join clock
),

counted as (
    select
        {{ alike | join(', ') }},
        count(*) as n,
        cast(sum(assumed_new_count) as bigint) as assumed_new_count,
        min(occurred_at) as first_seen,
        max(occurred_at) as last_seen
    from placed
    group by {{ alike | join(', ') }}
),

scored as (
    select
        *,
        {{ outcome() }} as outcome,
        predicted_output_tokens is not null
        and replayed_output_tokens is not null as is_comparable,
        {{ estimate_scores() }},
        {{ prediction_scores('replayed_output_tokens', 'replayed_') }}
    from counted
),

final as (
    select
        *,
        abs(log_error) as abs_log_error,
        {{ key_of(slice_names().keys() | list + ['is_recent', 'is_comparable']) }} as cell_key
    from scored
)

select * from final
