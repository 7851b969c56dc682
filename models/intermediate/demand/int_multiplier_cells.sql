with

history as (
    select * from {{ ref('int_demand_history') }}
),

replayed_estimates as (
    select * from {{ ref('int_replayed_estimates') }}
),

estimates as (
    select * from {{ ref('int_events') }}
),

shrunk_medians as (
    select * from {{ ref('int_shrunk_medians') }}
),

demand as (
    select
        coalesce(history.category, 'unknown') as category,
        coalesce(history.complexity, 'unknown') as complexity,
        count(*) as n_calls,
        count(case when not history.is_observed then 1 end) as n_censored,
        percentile_disc(0.5) within group (
            order by case when history.is_observed then history.demand_tokens end
        ) as filtered_median_tokens,
        count(replayed_estimates.replayed_output_tokens) as n_replayed,
        {{ list_item(quantiles('replayed_estimates.replayed_output_tokens', [0.5]), 1) }}
            as base_estimate_tokens
    from history
    left join replayed_estimates
        on history.event_id = replayed_estimates.event_id
    group by 1, 2
),

replayed as (
    select
        coalesce(history.category, 'unknown') as category,
        coalesce(history.complexity, 'unknown') as complexity,
        {{ ratio('history.demand_tokens', 'replayed_estimates.replayed_output_tokens') }}
            as actual_ratio,
        row_number() over (
            partition by history.category, history.complexity
            order by history.occurred_at desc, history.call_id desc
        ) - 1 as calls_since
    from history
    inner join replayed_estimates
        on history.event_id = replayed_estimates.event_id
    where replayed_estimates.replayed_output_tokens > 0
),

-- what is older weighs next to nothing
averages as (
    select
        category,
        complexity,
        {{ ratio(
            'sum(' ~ moving_weight('calls_since') ~ ' * actual_ratio)',
            'sum(' ~ moving_weight('calls_since') ~ ')',
        ) }} as moving_ratio
    from replayed
    where calls_since < 100
    group by 1, 2
),

versions as (
    select
        coalesce(category, 'unknown') as category,
        coalesce(complexity, 'unknown') as complexity,
        count(distinct coalesce(estimator_version, 'unknown')) as n_versions
    from estimates
    where predicted_output_tokens is not null
    group by 1, 2
),

final as (
    select
        demand.category,
        demand.complexity,
        demand.n_calls,
        {{ ratio('demand.n_censored', 'demand.n_calls') }} as truncated_share,
        demand.filtered_median_tokens,
        shrunk_medians.own_median_tokens,
        coalesce(versions.n_versions, 0) as n_versions,
        demand.n_replayed,
        demand.base_estimate_tokens,
        averages.moving_ratio,
        shrunk_medians.n_observed,
        shrunk_medians.n_event,
        shrunk_medians.median_tokens,
        shrunk_medians.median_low_tokens,
        shrunk_medians.median_high_tokens,
        shrunk_medians.range_low_tokens,
        shrunk_medians.range_high_tokens
    from demand
    left join shrunk_medians
        on
            demand.category = shrunk_medians.category
            and demand.complexity = shrunk_medians.complexity
    left join averages
        on
            demand.category = averages.category
            and demand.complexity = averages.complexity
    left join versions
        on
            demand.category = versions.category
            and demand.complexity = versions.complexity
)

select * from final
