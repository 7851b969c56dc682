with

estimates as {{ inlined() }} (
    select * from {{ ref('calls') }}
),

clock as (
    select {{ as_of('occurred_at') }} as as_of
    from estimates
),

placed as (
    select
        estimates.occurred_at,
        estimates.estimator_version,
        estimates.deliverable_bucket,
        estimates.predicted_output_tokens,
        estimates.actual_output_tokens,
        estimates.ceiling_tokens,
        estimates.is_truncated,
        estimates.is_success,
        estimates.is_clean,
        estimates.is_synthetic,
        estimates.is_repeated,
        estimates.is_ceiling_unknown,
        coalesce(estimates.coefficients_id, 'unknown') as coefficients_id,
        coalesce(estimates.category, 'unknown') as category,
        coalesce(estimates.complexity, 'unknown') as complexity,
        estimates.occurred_at > {{ recent_from('clock.as_of') }}
        and estimates.occurred_at <= clock.as_of as is_recent,
        {{ is_until_as_of('estimates.occurred_at') }} as is_until_as_of
    from estimates
    cross join clock
),

counted as (
    select
        category,
        complexity,
        deliverable_bucket,
        coefficients_id,
        estimator_version,
        predicted_output_tokens,
        actual_output_tokens,
        ceiling_tokens,
        is_truncated,
        is_success,
        is_clean,
        is_synthetic,
        is_repeated,
        is_ceiling_unknown,
        is_recent,
        is_until_as_of,
        count(*) as n,
        min(occurred_at) as first_seen,
        max(occurred_at) as last_seen
    from placed
    group by
        category, complexity, deliverable_bucket, coefficients_id, estimator_version,
        predicted_output_tokens, actual_output_tokens, ceiling_tokens,
        is_truncated, is_success, is_clean, is_synthetic, is_repeated, is_ceiling_unknown,
        is_recent, is_until_as_of
),

final as (
    select
        *,
        {{ estimate_scores() }}
    from counted
)

select * from final
