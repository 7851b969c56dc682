{{ config(materialized='view') }}

with

estimates as (
    select * from {{ ref('estimates') }}
),

replayed_estimates as (
    select * from {{ ref('int_replayed_estimates') }}
),

events as (
    select
        estimates.event_id,
        estimates.estimator_version,
        estimates.is_clean,
        estimates.predicted_output_tokens,
        estimates.actual_output_tokens,
        replayed_estimates.replayed_output_tokens,
        coalesce(estimates.category, 'unknown') as category,
        coalesce(estimates.complexity, 'unknown') as complexity,
        coalesce(estimates.is_success and not estimates.is_truncated, false) as is_kept_by_origin
    from estimates
    left join replayed_estimates
        on estimates.event_id = replayed_estimates.event_id
),

-- the origin kept what succeeded and was not cut off, and nothing else decided
t5_exact as (
    select
        't5_exact' as method,
        event_id,
        estimator_version,
        category,
        complexity,
        {{ t5_ratio('actual_output_tokens', 'predicted_output_tokens') }} as actual_ratio
    from events
    where is_kept_by_origin and predicted_output_tokens is not null
),

logged_median as (
    select
        'median' as method,
        event_id,
        estimator_version,
        category,
        complexity,
        {{ ratio('actual_output_tokens', 'predicted_output_tokens') }} as actual_ratio
    from events
    where is_clean and predicted_output_tokens > 0
),

replayed_median as (
    select
        'median' as method,
        event_id,
        'replayed' as estimator_version,
        category,
        complexity,
        {{ ratio('actual_output_tokens', 'replayed_output_tokens') }} as actual_ratio
    from events
    where is_clean and replayed_output_tokens > 0
),

t5_damped as (
    select
        't5_damped' as method,
        event_id,
        'replayed' as estimator_version,
        category,
        complexity,
        {{ t5_ratio('actual_output_tokens', 'replayed_output_tokens') }} as actual_ratio
    from events
    where is_kept_by_origin and replayed_output_tokens is not null
),

final as (
    select * from t5_exact
    union all
    select * from logged_median
    union all
    select * from replayed_median
    union all
    select * from t5_damped
)

select * from final
