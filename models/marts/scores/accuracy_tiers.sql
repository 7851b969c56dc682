{% set stratifications = {
    'overall': [],
    'category': ['category'],
    'complexity': ['complexity'],
    'deliverable_bucket': ['deliverable_bucket'],
    'category_complexity': ['category', 'complexity'],
    'category_bucket': ['category', 'deliverable_bucket'],
} %}
{% set scopes = {
    'all': ('true', stratifications.keys() | list),
    'recent': ('is_recent', ['overall', 'category_complexity']),
    'success': (
        'is_success',
        ['overall', 'category', 'complexity', 'deliverable_bucket', 'category_complexity'],
    ),
} %}
{% set strata = [] %}
{% for scope, (condition, names) in scopes.items() %}
    {% for stratification in names %}
        {% do strata.append({
            'labels': {'scope': scope, 'stratification': stratification},
            'columns': stratifications[stratification],
            'where': condition,
        }) %}
    {% endfor %}
{% endfor %}
{% set split_names = ['category', 'complexity', 'deliverable_bucket'] %}
{% set stratum_key = key_of(['scope', 'stratification'] + split_names) %}

with

counted_estimates as {{ inlined() }} (
    select * from {{ ref('int_counted_estimates') }}
),

required_mixes as (
    select * from {{ ref('required_mixes') }}
),

deliverable_buckets as (
    select * from {{ ref('deliverable_buckets') }}
),

events as {{ inlined() }} (
    select * from counted_estimates
    where {{ is_analysed() }}
),

cells as (
    select
        category,
        complexity,
        deliverable_bucket,
        is_recent,
        is_success,
        {{ accuracy_cell() }},
        {{ counted_if('predicted_output_tokens is not null') }} as n_predicted,
        sum(n * cast(predicted_output_tokens as double)) as sum_predicted,
        {{ counted_if('not is_truncated') }} as n_actual,
        sum(case when not is_truncated then n * cast(actual_output_tokens as double) end)
            as sum_actual,
        {{ counted_if('is_truncated and predicted_output_tokens is not null') }}
            as n_truncated_predicted,
        sum(case when is_truncated then n * cast(predicted_output_tokens as double) end)
            as sum_truncated_predicted,
        {{ counted_if('is_truncated') }} as n_bound,
        sum(case when is_truncated then n * cast(actual_output_tokens as double) end) as sum_bound,
        {{ counted_if('is_truncated and underestimated') }} as n_truncated_underestimated
    from events
    group by category, complexity, deliverable_bucket, is_recent, is_success
),

grouped as (
    {% for stratum in strata %}
        select
            '{{ stratum["labels"]["scope"] }}' as scope,
            '{{ stratum["labels"]["stratification"] }}' as stratification,
            {{ split_columns(stratum['columns'], split_names) }},
            {{ accuracy_counts() }},
            {{ ratio('sum(sum_predicted)', 'sum(n_predicted)') }} as mean_predicted,
            {{ ratio('sum(sum_actual)', 'sum(n_actual)') }} as mean_actual,
            {{ ratio('sum(sum_truncated_predicted)', 'sum(n_truncated_predicted)') }}
                as truncated_mean_predicted,
            {{ ratio('sum(sum_bound)', 'sum(n_bound)') }} as truncated_mean_bound,
            cast(sum(n_truncated_underestimated) as bigint) as n_truncated_underestimated
        from cells
        where {{ stratum['where'] }}
        {{ group_by_columns(stratum['columns']) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

{{ stratum_quantiles(
    events='events',
    names=split_names,
    flags=['is_recent', 'is_success'],
    strata=strata,
    wanted=accuracy_quantiles(),
) }},

keyed_quantiles as (
    select
        *,
        {{ stratum_key }} as stratum_key
    from quantiles
),

named as (
    select
        *,
        {{ stratum_key }} as stratum_key,
        {{ stratum_name(split_names) }} as stratum,
        {{ ratio('n_failure_mode', 'n') }} as failure_mode_share,
        {{ accuracy_rates() }}
    from grouped
),

scope_cells as (
    {% for scope, (condition, _) in scopes.items() %}
        select
            '{{ scope }}' as scope,
            category,
            complexity,
            deliverable_bucket,
            sum(n_success) as n_success
        from cells
        where {{ condition }}
        group by category, complexity, deliverable_bucket
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

cell_mixes as (
    select
        scope_cells.scope,
        scope_cells.category,
        scope_cells.complexity,
        scope_cells.deliverable_bucket,
        required_mixes.dimension,
        required_mixes.name,
        case
            when
                required_mixes.dimension = 'category'
                and scope_cells.category = required_mixes.name
                then scope_cells.n_success
            when
                required_mixes.dimension = 'complexity'
                and scope_cells.complexity = required_mixes.name
                then scope_cells.n_success
            when
                required_mixes.dimension = 'deliverables'
                and deliverable_buckets.size = required_mixes.name
                then scope_cells.n_success
            else 0
        end as n_success
    from scope_cells
    cross join required_mixes
    left join deliverable_buckets
        on scope_cells.deliverable_bucket = deliverable_buckets.name
),

stratum_mixes as (
    {% for stratification, columns in stratifications.items() %}
        select
            '{{ stratification }}' as stratification,
            scope,
            {{ split_columns(columns, split_names) }},
            dimension,
            name,
            sum(n_success) as n_success
        from cell_mixes
        {{ group_by_columns(['scope', 'dimension', 'name'] + columns) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- a stratum of one category cannot have a mix of categories, and so on
missing_mixes as (
    select
        {{ stratum_key }} as stratum_key,
        {{ joined_text("dimension || ' ' || name") }} as missing_mix
    from stratum_mixes
    where
        n_success = 0
        and not (dimension = 'category' and category is not null)
        and not (dimension = 'complexity' and complexity is not null)
        and not (dimension = 'deliverables' and deliverable_bucket is not null)
    group by stratification, scope, category, complexity, deliverable_bucket
),

rated as (
    select
        named.*,
        keyed_quantiles.median_smape,
        keyed_quantiles.p90_smape,
        keyed_quantiles.p50_estimate_ratio,
        keyed_quantiles.p90_estimate_ratio,
        keyed_quantiles.p50_ceiling_ratio,
        keyed_quantiles.p90_ceiling_ratio,
        missing_mixes.missing_mix
    from named
    left join keyed_quantiles
        on named.stratum_key = keyed_quantiles.stratum_key
    left join missing_mixes
        on named.stratum_key = missing_mixes.stratum_key
    where named.n > 0
),

tiers as (
    select
        *,
        {{ tier_1() }} as tier_1,
        {{ is_tier_1_certain() }} as is_tier_1_certain,
        {{ tier_2() }} as tier_2,
        n_success >= {{ var('min_successes') }}
        and missing_mix is null
        and failure_mode_share <= {{ var('max_failure_mode_share') }} as has_enough_data
    from rated
),

decided as (
    select
        *,
        case
            when not has_enough_data then 'insufficient data'
            when tier_1 = 'fail' or tier_2 = 'fail' then 'tune'
            when tier_1 = 'unknown' then 'insufficient data'
            else 'leave'
        end as verdict
    from tiers
),

final as (
    select
        stratum_key,
        scope,
        stratification,
        stratum,
        category,
        complexity,
        deliverable_bucket,
        n,
        n_outcome,
        n_success,
        n_clean,
        n_failure_mode,
        n_decided,
        n_underestimated,
        n_stop_known,
        n_truncated,
        n_scored,
        underestimation_rate,
        underestimation_lower,
        underestimation_upper,
        truncation_rate,
        truncation_lower,
        truncation_upper,
        success_rate,
        success_lower,
        success_upper,
        n_outcome < {{ var('min_samples') }} as is_small_sample,
        p50_estimate_ratio,
        p90_estimate_ratio,
        mean_estimate_ratio,
        p50_ceiling_ratio,
        p90_ceiling_ratio,
        tokens_used,
        tokens_reserved,
        reserved_ratio,
        mean_smape,
        median_smape,
        p90_smape,
        mean_predicted,
        mean_actual,
        truncated_mean_predicted,
        truncated_mean_bound,
        n_truncated_underestimated,
        missing_mix,
        tier_1,
        is_tier_1_certain,
        tier_2,
        verdict,
        cast({{ var('target_underestimation') }} as double) as target_underestimation,
        cast({{ var('target_truncation') }} as double) as target_truncation,
        cast({{ var('target_p90_estimate_ratio') }} as double) as target_p90_estimate_ratio,
        cast({{ var('target_p90_ceiling_ratio') }} as double) as target_p90_ceiling_ratio,
        case
            when verdict <> 'tune' then 'none'
            when tier_1 = 'fail' then 'up'
            else 'down'
        end as direction,
        case
            when not has_enough_data
                then concat_ws(
                    '; ',
                    case
                        when n_success < {{ var('min_successes') }}
                            then
                                cast(n_success as string) || ' of '
                                || '{{ var("min_successes") }} successes'
                    end,
                    'no success in ' || missing_mix,
                    case
                        when failure_mode_share > {{ var('max_failure_mode_share') }}
                            then
                                {{ percent_text('failure_mode_share') }}
                                || ' are failed calls with next to no output'
                    end
                )
            when tier_1 = 'fail'
                then concat_ws(
                    '; ',
                    case
                        when
                            underestimation_rate
                            > cast({{ var('target_underestimation') }} as double)
                            then
                                {{ percent_text('underestimation_rate') }}
                                || ' underestimated, target '
                                || {{ percent_text(var('target_underestimation')) }}
                    end,
                    case
                        when
                            scope <> 'success'
                            and truncation_rate > cast({{ var('target_truncation') }} as double)
                            then
                                {{ percent_text('truncation_rate') }} || ' truncated, target '
                                || {{ percent_text(var('target_truncation')) }}
                    end,
                    case when not is_tier_1_certain then 'could be chance' end
                )
            when tier_1 = 'unknown' then 'nothing says whether calls were cut short'
            when tier_2 = 'fail'
                then concat_ws(
                    '; ',
                    case
                        when
                            p90_estimate_ratio
                            >= cast({{ var('target_p90_estimate_ratio') }} as double)
                            then
                                'a tenth of the predictions is at least '
                                || cast(cast(p90_estimate_ratio as decimal(18, 1)) as string)
                                || ' times the output'
                    end,
                    case
                        when
                            p90_ceiling_ratio
                            >= cast({{ var('target_p90_ceiling_ratio') }} as double)
                            then
                                'a tenth of the ceilings is at least '
                                || cast(cast(p90_ceiling_ratio as decimal(18, 1)) as string)
                                || ' times the output'
                    end
                )
            else 'both tiers hold'
        end as reason
    from decided
)

select * from final
