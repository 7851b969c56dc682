with

calls as (
    select
        *,
        coalesce(category, 'unknown') as known_category,
        coalesce(complexity, 'unknown') as known_complexity
    from {{ ref('calls') }}
),

final as (
    select
        estimator_version,
        known_category as category,
        known_complexity as complexity,
        predicted_output_tokens,
        replayed_output_tokens,
        actual_output_tokens,
        is_truncated,
        is_success,
        is_clean,
        count(*) as n
    from calls
    group by
        estimator_version, known_category, known_complexity,
        predicted_output_tokens, replayed_output_tokens, actual_output_tokens,
        is_truncated, is_success, is_clean
)

select * from final
