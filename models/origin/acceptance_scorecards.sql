{% set measures = [
    'landed_events', 'deliverables_share', 'mean_smape', 'samples', 'missing_mixes',
    'median_estimate_ratio', 'underestimation_rate', 'truncation_rate', 'categories',
    'successes', 'success_rate', 'confident_groups', 'groups_off_centre', 'best_confidence',
    'p90_estimate_ratio', 'budgets_below_floor', 'docs_low_budget',
] %}

with

criteria as (
    select * from {{ ref('scorecard_criteria') }}
),

scores as (
    select * from {{ ref('scores') }}
    where period = 'all' and scope = 'all'
),

verdicts as (
    select * from {{ ref('int_verdicts') }}
),

-- the documents' own figures; rates as shares
published_figures as (
    select
        figure_id,
        case when metric like '%_rate' then recomputed_value / 100 else recomputed_value end
            as value
    from {{ ref('published_figures') }}
),

multipliers as (
    select * from {{ ref('multipliers') }}
    where method = 't5_exact'
),

events as (
    select * from {{ ref('int_events') }}
),

budget_floors as (
    select * from {{ ref('budget_floors') }}
),

landed as (
    select
        count(*) as landed_events,
        avg(case when {{ list_size('deliverables') }} > 0 then 1 else 0 end)
            as deliverables_share
    from events
),

overall as (
    select
        max(scores.mean_smape) as mean_smape,
        max(scores.p50_estimate_ratio) as median_estimate_ratio,
        max(scores.p90_estimate_ratio) as p90_estimate_ratio,
        max(scores.underestimation_rate) as underestimation_rate,
        max(scores.truncation_rate) as truncation_rate,
        max(scores.success_rate) as success_rate,
        coalesce(max(scores.n_scored), 0) as samples,
        coalesce(max(scores.n_success), 0) as successes,
        max(case when verdicts.missing_mix is null then 0 else 1 end) as missing_mixes
    from scores
    left join verdicts
        on scores.score_key = verdicts.score_key
    where scores.slice = 'all'
),

categories as (
    select count(*) as categories
    from scores
    where slice = 'category' and category <> 'unknown'
),

confidence as (
    select
        max(confidence) as best_confidence,
        count(case when passes_gates then 1 end) as confident_groups,
        count(
            case
                when
                    passes_gates
                    and multiplier not between
                    cast({{ var('tuned_ratio_low') }} as double)
                    and cast({{ var('tuned_ratio_high') }} as double)
                    then 1
            end
        ) as groups_off_centre
    from multipliers
),

floors as (
    select
        sum(n_below) as budgets_below_floor,
        min(
            case
                when category = 'documentation' and complexity = 'low' then least_selected_budget
            end
        ) as docs_low_budget
    from budget_floors
),

measured as (
    select
        landed.landed_events,
        landed.deliverables_share,
        overall.mean_smape,
        overall.samples,
        overall.missing_mixes,
        overall.median_estimate_ratio,
        overall.p90_estimate_ratio,
        overall.underestimation_rate,
        overall.truncation_rate,
        categories.categories,
        overall.successes,
        overall.success_rate,
        confidence.confident_groups,
        confidence.best_confidence,
        floors.budgets_below_floor,
        floors.docs_low_budget,
        case when confidence.confident_groups > 0 then confidence.groups_off_centre end
            as groups_off_centre
    from landed
    cross join overall
    cross join categories
    cross join confidence
    cross join floors
),

figures as (
    {% for measure in measures %}
        select
            '{{ measure }}' as measure,
            cast({{ measure }} as double) as value
        from measured
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

compared as (
    select
        criteria.*,
        figures.value,
        published_figures.value as published_value,
        {{ criterion_is_met('figures.value') }} as is_met,
        {{ criterion_is_met('published_figures.value') }} as is_met_by_figure
    from criteria
    left join figures
        on criteria.measure = figures.measure
    left join published_figures
        on criteria.figure_id = published_figures.figure_id
),

final as (
    select
        document,
        coalesce(part, document) as part,
        cast(position as bigint) as criterion_no,
        criterion,
        measure,
        target,
        value,
        published_value,
        published_met,
        {{ key_of(['document', 'position']) }} as criterion_key,
        case
            when measure is null then 'not in telemetry'
            when is_met then 'met'
            when not is_met then 'not met'
            else 'no data'
        end as status,
        coalesce(is_met_by_figure, published_met) as recomputed_met
    from compared
)

select * from final
