with

counted_estimates as (
    select * from {{ ref('int_counted_estimates') }}
),

counted_replays as (
    select * from {{ ref('int_counted_replays') }}
),

-- the origin kept what succeeded and was not cut off, and nothing else decided
t5_exact as (
    select
        't5_exact' as method,
        estimator_version,
        category,
        complexity,
        {{ t5_ratio('actual_output_tokens', 'predicted_output_tokens') }} as actual_ratio,
        n
    from counted_estimates
    where {{ is_finished() }} and predicted_output_tokens is not null
),

logged_median as (
    select
        'median' as method,
        estimator_version,
        category,
        complexity,
        {{ ratio('actual_output_tokens', 'predicted_output_tokens') }} as actual_ratio,
        n
    from counted_estimates
    where is_clean and predicted_output_tokens > 0
),

replayed_median as (
    select
        'median' as method,
        'replayed' as estimator_version,
        category,
        complexity,
        {{ ratio('actual_output_tokens', 'replayed_output_tokens') }} as actual_ratio,
        n
    from counted_replays
    where is_clean and replayed_output_tokens > 0
),

t5_damped as (
    select
        't5_damped' as method,
        'replayed' as estimator_version,
        category,
        complexity,
        {{ t5_ratio('actual_output_tokens', 'replayed_output_tokens') }} as actual_ratio,
        n
    from counted_replays
    where {{ is_finished() }}
),

ratios as (
    select * from t5_exact
    union all
    select * from logged_median
    union all
    select * from replayed_median
    union all
    select * from t5_damped
),

-- equal ratios in one row: far fewer than events, and all that a quantile needs
final as (
    select
        method,
        estimator_version,
        category,
        complexity,
        actual_ratio,
        cast(sum(n) as bigint) as n
    from ratios
    group by method, estimator_version, category, complexity, actual_ratio
)

select * from final
