with

estimates as (
    select * from {{ ref('estimates') }}
),

-- the origin kept what succeeded and was not cut off, and nothing else decided
origin_rows as (
    select
        't5_exact' as method,
        estimator_version,
        coalesce(category, 'unknown') as category,
        coalesce(complexity, 'unknown') as complexity,
        {{ t5_ratio('actual_output_tokens', 'predicted_output_tokens') }} as actual_ratio
    from estimates
    where is_success and not is_truncated and predicted_output_tokens is not null
),

clean_rows as (
    select
        'median' as method,
        estimator_version,
        coalesce(category, 'unknown') as category,
        coalesce(complexity, 'unknown') as complexity,
        {{ ratio('actual_output_tokens', 'predicted_output_tokens') }} as actual_ratio
    from estimates
    where is_clean and predicted_output_tokens > 0
),

method_rows as (
    select * from origin_rows
    union all
    select * from clean_rows
),

grouped as (
    select
        method,
        estimator_version,
        category,
        complexity,
        count(*) as n,
        {{ upper_median('actual_ratio') }} as upper_median_ratio,
        median(actual_ratio) as median_ratio,
        min(actual_ratio) as min_ratio,
        max(actual_ratio) as max_ratio,
        stddev_pop(actual_ratio) as ratio_deviation
    from method_rows
    group by method, estimator_version, category, complexity
),

multipliers as (
    select
        *,
        case method when 't5_exact' then upper_median_ratio else median_ratio end as multiplier,
        {{ t5_confidence('n', 'ratio_deviation') }} as confidence,
        {{ t5_reachable_confidence('n') }} as reachable_confidence
    from grouped
),

gated as (
    select
        *,
        n >= {{ var('min_samples') }} as passes_min_samples,
        confidence >= {{ var('confidence_threshold') }} as passes_confidence,
        n >= {{ var('min_samples') }}
        and reachable_confidence < {{ var('confidence_threshold') }} as gates_contradict
    from multipliers
),

decided as (
    select
        *,
        {{ calibration_action('multiplier', '(passes_min_samples and passes_confidence)') }}
            as action
    from gated
),

final as (
    select
        concat_ws('|', method, estimator_version, category, complexity) as multiplier_key,
        method,
        estimator_version,
        category,
        complexity,
        cast(n as bigint) as n,
        multiplier,
        min_ratio,
        max_ratio,
        ratio_deviation,
        confidence,
        reachable_confidence,
        passes_min_samples,
        passes_confidence,
        passes_min_samples and passes_confidence as passes_gates,
        gates_contradict,
        action,
        case
            when not passes_min_samples
                then cast({{ var('min_samples') }} - n as string) || ' more calls needed'
            when gates_contradict
                then
                    'the gates contradict each other: ' || cast(n as string)
                    || ' calls pass min_samples, yet reach a confidence of '
                    || cast(round(reachable_confidence, 3) as string) || ' at most'
            when not passes_confidence then 'confidence below the threshold'
            else 'passes'
        end as gate_note
    from decided
)

select * from final
