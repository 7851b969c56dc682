with

calls as (
    select * from {{ ref('calls') }}
),

replayed as (
    select
        predicted_output_tokens,
        replayed_output_tokens,
        actual_output_tokens,
        assumed_new_count,
        is_truncated,
        is_success,
        is_clean,
        is_analysed,
        estimator_version,
        coalesce(category, 'unknown') as category,
        coalesce(complexity, 'unknown') as complexity
    from calls
),

counted as (
    select
        estimator_version,
        category,
        complexity,
        predicted_output_tokens,
        replayed_output_tokens,
        actual_output_tokens,
        is_truncated,
        is_success,
        is_clean,
        is_analysed,
        cast(sum(assumed_new_count) as bigint) as assumed_new_count,
        count(*) as n
    from replayed
    group by
        estimator_version, category, complexity,
        predicted_output_tokens, replayed_output_tokens, actual_output_tokens,
        is_truncated, is_success, is_clean, is_analysed
),

final as (
    select
        *,
        {{ prediction_scores('predicted_output_tokens') }},
        {{ prediction_scores('replayed_output_tokens', 'replayed_') }}
    from counted
)

select * from final
