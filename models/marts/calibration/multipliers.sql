with

ratios as {{ inlined() }} (
    select * from {{ ref('int_prediction_ratios') }}
),

cells as (
    select * from {{ ref('int_multiplier_cells') }}
),

budget_quantiles as (
    select * from {{ ref('int_budget_quantiles') }}
),

-- each method that compares call by call with the ratios that it keeps
counted as {{ inlined() }} (
    select
        case when is_replay then 't5_damped' else 't5_exact' end as measure,
        estimator_version,
        category,
        complexity,
        actual_ratio as value,
        n_finished as n
    from ratios
    union all
    select
        'median' as measure,
        estimator_version,
        category,
        complexity,
        actual_ratio as value,
        n_clean as n
    from ratios
    where n_clean > 0
),

{{ ranked_values(
    ['estimator_version', 'category', 'complexity'],
    [
        quantile_ranks(0.5),
        [upper_median_rank(), upper_median_rank()],
        [median_rank('-'), median_rank('-')],
        [median_rank('+'), median_rank('+')],
    ],
) }},

medians as (
    select
        measure as method,
        estimator_version,
        category,
        complexity,
        {{ counted_rank(upper_median_rank()) }} as upper_median_ratio,
        {{ counted_quantile(0.5) }} as median_ratio,
        {{ counted_rank(median_rank('-')) }} as low_ratio,
        {{ counted_rank(median_rank('+')) }} as high_ratio
    from ranked
    group by measure, estimator_version, category, complexity
),

totals as (
    select
        measure as method,
        estimator_version,
        category,
        complexity,
        cast(sum(n) as bigint) as n,
        min(value) as min_ratio,
        max(value) as max_ratio,
        {{ ratio('sum(n * value)', 'sum(n)') }} as mean_ratio
    from counted
    group by measure, estimator_version, category, complexity
),

spread as (
    select
        totals.method,
        totals.estimator_version,
        totals.category,
        totals.complexity,
        sum(counted.n * power(counted.value - totals.mean_ratio, 2)) as squared_deviations
    from totals
    inner join counted
        on
            totals.method = counted.measure
            and totals.estimator_version = counted.estimator_version
            and totals.category = counted.category
            and totals.complexity = counted.complexity
    group by totals.method, totals.estimator_version, totals.category, totals.complexity
),

grouped as (
    select
        totals.method,
        totals.estimator_version,
        totals.category,
        totals.complexity,
        totals.n,
        totals.min_ratio,
        totals.max_ratio,
        medians.upper_median_ratio,
        medians.median_ratio,
        medians.low_ratio,
        medians.high_ratio,
        sqrt({{ ratio('spread.squared_deviations', 'totals.n') }}) as ratio_deviation
    from totals
    inner join spread
        on
            totals.method = spread.method
            and totals.estimator_version = spread.estimator_version
            and totals.category = spread.category
            and totals.complexity = spread.complexity
    inner join medians
        on
            totals.method = medians.method
            and totals.estimator_version = medians.estimator_version
            and totals.category = medians.category
            and totals.complexity = medians.complexity
),

ratio_methods as (
    select
        method,
        estimator_version,
        category,
        complexity,
        cast(null as double) as max_truncation,
        n,
        case method
            when 't5_exact' then upper_median_ratio
            when 't5_damped' then {{ damped('upper_median_ratio') }}
            else median_ratio
        end as multiplier,
        case method when 't5_damped' then {{ damped('low_ratio') }} else low_ratio end
            as interval_low,
        case method when 't5_damped' then {{ damped('high_ratio') }} else high_ratio end
            as interval_high,
        cast(null as double) as range_low,
        cast(null as double) as range_high,
        {{ ratio('n', 'n + ' ~ var('shrinkage_calls')) }} as own_weight,
        n as n_gated,
        false as is_exported_budget
    from grouped
),

shrunk as (
    select
        'median_shrunk' as method,
        'replayed' as estimator_version,
        category,
        complexity,
        cast(null as double) as max_truncation,
        n_observed as n,
        {{ ratio('median_tokens', 'base_estimate_tokens') }} as multiplier,
        {{ ratio('median_low_tokens', 'base_estimate_tokens') }} as interval_low,
        {{ ratio('median_high_tokens', 'base_estimate_tokens') }} as interval_high,
        {{ ratio('range_low_tokens', 'base_estimate_tokens') }} as range_low,
        {{ ratio('range_high_tokens', 'base_estimate_tokens') }} as range_high,
        {{ ratio('n_event', 'n_event + ' ~ var('shrinkage_calls')) }} as own_weight,
        least(n_observed, n_replayed) as n_gated,
        false as is_exported_budget
    from cells
    where median_tokens is not null and base_estimate_tokens > 0
),

moving as (
    select
        'moving_average' as method,
        'replayed' as estimator_version,
        category,
        complexity,
        cast(null as double) as max_truncation,
        n_replayed as n,
        moving_ratio * ({{ falling_margin('n_replayed') }}) as multiplier,
        cast(null as double) as interval_low,
        cast(null as double) as interval_high,
        cast(null as double) as range_low,
        cast(null as double) as range_high,
        {{ ratio('n_replayed', 'n_replayed + ' ~ var('shrinkage_calls')) }} as own_weight,
        n_replayed as n_gated,
        false as is_exported_budget
    from cells
    where moving_ratio is not null
),

budget_ratios as (
    {% for budget in ['budget_blend', 'budget_strict'] %}
        select
            '{{ budget }}' as method,
            'replayed' as estimator_version,
            cells.category,
            cells.complexity,
            budget_quantiles.max_truncation,
            budget_quantiles.n_observed as n,
            {{ ratio('budget_quantiles.' ~ budget ~ '_tokens', 'cells.base_estimate_tokens') }}
                as multiplier,
            {{ ratio('budget_quantiles.own_quantile_low_tokens', 'cells.base_estimate_tokens') }}
                as interval_low,
            {{ ratio('budget_quantiles.own_quantile_high_tokens', 'cells.base_estimate_tokens') }}
                as interval_high,
            cast(null as double) as range_low,
            cast(null as double) as range_high,
            budget_quantiles.own_weight,
            least(budget_quantiles.n_observed, cells.n_replayed) as n_gated,
            budget_quantiles.is_exported and budget_quantiles.method = '{{ budget }}'
                as is_exported_budget
        from budget_quantiles
        inner join cells
            on
                budget_quantiles.category = cells.category
                and budget_quantiles.complexity = cells.complexity
        where
            budget_quantiles.cell_level = {{ level_of(['category', 'complexity']) }}
            and budget_quantiles.{{ budget }}_tokens is not null
            and cells.base_estimate_tokens > 0
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

multipliers as (
    select * from ratio_methods
    union all
    select * from shrunk
    union all
    select * from moving
    union all
    select * from budget_ratios
),

-- the origin's confidence needs the spread of the ratios: of the method's own, or of the replayed
judged as (
    select
        multipliers.*,
        multipliers.method in ('t5_exact', 't5_damped', 'median') as is_ratio_method,
        grouped.min_ratio,
        grouped.max_ratio,
        grouped.ratio_deviation,
        {{ t5_confidence('grouped.n', 'grouped.ratio_deviation') }} as confidence,
        {{ t5_reachable_confidence('grouped.n') }} as reachable_confidence,
        {{ multiplier_vetoes('multipliers', 'cells') }} as vetoes
    from multipliers
    left join grouped
        on
            multipliers.category = grouped.category
            and multipliers.complexity = grouped.complexity
            and multipliers.estimator_version = grouped.estimator_version
            and grouped.method = case
                when multipliers.method in ('t5_exact', 't5_damped') then multipliers.method
                else 'median'
            end
    left join cells
        on
            multipliers.category = cells.category
            and multipliers.complexity = cells.complexity
),

gated as (
    select
        *,
        n_gated >= {{ var('min_samples') }} as passes_min_samples,
        -- a budget needs no such gate: with few calls it hardly leaves its parent; and a moving
        -- average moves from min_samples calls on
        max_truncation is not null
        or method = 'moving_average'
        or coalesce(
            case when is_ratio_method then confidence else own_weight end
            >= {{ var('confidence_threshold') }},
            false
        ) as passes_confidence,
        is_ratio_method
        and coalesce(
            n_gated >= {{ var('min_samples') }}
            and reachable_confidence < {{ var('confidence_threshold') }},
            false
        ) as gates_contradict
    from judged
),

passing as (
    select
        *,
        passes_min_samples and passes_confidence as passes_gates
    from gated
),

decided as (
    select
        *,
        case
            when max_truncation is not null then 'budget'
            else {{ calibration_action('multiplier', 'passes_gates') }}
        end as action,
        case
            when method <> '{{ var("exported_multiplier") }}' then 0
            when category = 'unknown' or complexity = 'unknown' then 0
            when vetoes is not null or not passes_gates then 0
            when multiplier between 0.01 and 100 then 1
            else 0
        end as may_be_exported
    from passing
),

chosen as (
    select
        *,
        row_number() over (
            partition by category, complexity
            order by
                may_be_exported desc,
                case when estimator_version = 'replayed' then 0 else 1 end asc,
                n desc,
                estimator_version asc,
                method asc,
                max_truncation asc nulls first
        ) as choice
    from decided
),

final as (
    select
        {{ key_of([
            'method', 'estimator_version', 'category', 'complexity',
            plain_number('max_truncation'),
        ]) }} as multiplier_key,
        method,
        estimator_version,
        category,
        complexity,
        max_truncation,
        cast(n as bigint) as n,
        multiplier,
        interval_low,
        interval_high,
        range_low,
        range_high,
        min_ratio,
        max_ratio,
        ratio_deviation,
        confidence,
        reachable_confidence,
        own_weight,
        passes_min_samples,
        passes_confidence,
        passes_gates,
        gates_contradict,
        action,
        vetoes,
        {{ gate_note() }} as gate_note,
        may_be_exported = 1 and choice = 1 or is_exported_budget as is_exported
    from chosen
)

select * from final
