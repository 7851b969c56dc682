with

estimates as (
    select * from {{ ref('estimates') }}
),

required_mixes as (
    select * from {{ ref('required_mixes') }}
),

deliverable_buckets as (
    select * from {{ ref('deliverable_buckets') }}
),

events as (
    select
        *,
        coalesce(category, 'unknown') as category_key,
        coalesce(complexity, 'unknown') as complexity_key
    from estimates
    where {{ is_analysed() }}
),

-- every event once among all, and once more among the successes when it is one
scoped as (
    select
        *,
        'all' as scope
    from events
    union all
    select
        *,
        'success' as scope
    from events
    where is_success
),

grouped as (
    select
        scope,
        {{ stratum_columns() }},
        {{ accuracy_counts() }},
        avg(predicted_output_tokens) as mean_predicted,
        avg(case when not is_truncated then actual_output_tokens end) as mean_actual,
        avg(case when is_truncated then predicted_output_tokens end) as truncated_mean_predicted,
        avg(case when is_truncated then actual_output_tokens end) as truncated_mean_bound,
        count(case when is_truncated and underestimated then 1 end) as n_truncated_underestimated
    from scoped
    group by {{ strata_sets(['scope']) }}
),

-- few: the combinations that occur, with the successes in each
cells as (
    select
        events.category_key,
        events.complexity_key,
        events.deliverable_bucket,
        deliverable_buckets.size,
        count(case when events.is_success then 1 end) as n_success
    from events
    left join deliverable_buckets
        on events.deliverable_bucket = deliverable_buckets.name
    group by
        events.category_key, events.complexity_key, events.deliverable_bucket,
        deliverable_buckets.size
),

cell_mixes as (
    select
        cells.category_key,
        cells.complexity_key,
        cells.deliverable_bucket,
        required_mixes.dimension,
        required_mixes.name,
        case
            when
                case required_mixes.dimension
                    when 'category' then cells.category_key
                    when 'complexity' then cells.complexity_key
                    else cells.size
                end = required_mixes.name
                then cells.n_success
            else 0
        end as n_success
    from cells
    cross join required_mixes
),

stratum_mixes as (
    select
        {{ stratum_columns() }},
        dimension,
        name,
        sum(n_success) as n_success
    from cell_mixes
    group by {{ strata_sets(['dimension', 'name']) }}
),

-- a stratum of one category cannot have a mix of categories, and so on
missing_mixes as (
    select
        stratification,
        stratum,
        {{ joined_text("dimension || ' ' || name") }} as missing_mix
    from stratum_mixes
    where
        n_success = 0
        and not (dimension = 'category' and category_key is not null)
        and not (dimension = 'complexity' and complexity_key is not null)
        and not (dimension = 'deliverables' and deliverable_bucket is not null)
    group by stratification, stratum
),

rated as (
    select
        grouped.*,
        missing_mixes.missing_mix,
        {{ accuracy_rates() }},
        {{ ratio('n_failure_mode', 'n') }} as failure_mode_share
    from grouped
    left join missing_mixes
        on
            grouped.stratification = missing_mixes.stratification
            and grouped.stratum = missing_mixes.stratum
    where grouped.n > 0
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
        concat_ws('|', scope, stratification, stratum) as stratum_key,
        scope,
        stratification,
        stratum,
        category_key as category,
        complexity_key as complexity,
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
                            scope = 'all'
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
