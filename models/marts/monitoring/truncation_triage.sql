with

phases as (
    select
        *,
        category as category_key,
        complexity as complexity_key
    from {{ ref('truncated_phases') }}
),

-- the origin's six segmentations, and all
grouped as (
    select
        category_key,
        complexity_key,
        deliverable_bucket,
        case
            when grouping(category_key) = 0 and grouping(complexity_key) = 0
                then 'category_complexity'
            when grouping(category_key) = 0 and grouping(deliverable_bucket) = 0
                then 'category_bucket'
            when grouping(complexity_key) = 0 and grouping(deliverable_bucket) = 0
                then 'complexity_bucket'
            when grouping(category_key) = 0 then 'category'
            when grouping(complexity_key) = 0 then 'complexity'
            when grouping(deliverable_bucket) = 0 then 'deliverable_bucket'
            else 'overall'
        end as segmentation,
        coalesce(
            nullif(concat_ws(' / ', category_key, complexity_key, deliverable_bucket), ''), 'all'
        ) as segment,
        count(*) as n_phases,
        sum(n_events) as n_events,
        median(bound_factor) as median_factor,
        max(bound_factor) as max_factor,
        sum(event_mean_factor * n_events) as event_factor_sum,
        sum(case when event_mean_factor is not null then n_events end) as n_event_factors,
        count(is_ceiling_below_prediction) as n_ceiling_compared,
        count(case when is_ceiling_below_prediction then 1 end) as n_ceiling_below,
        max(last_seen) as last_seen
    from phases
    group by grouping sets (
        (),
        (category_key),
        (complexity_key),
        (deliverable_bucket),
        (category_key, complexity_key),
        (category_key, deliverable_bucket),
        (complexity_key, deliverable_bucket)
    )
),

final as (
    select
        concat_ws('|', segmentation, segment) as segment_key,
        segmentation,
        segment,
        category_key as category,
        complexity_key as complexity,
        deliverable_bucket,
        n_phases,
        cast(n_events as bigint) as n_events,
        median_factor,
        max_factor,
        {{ ratio('event_factor_sum', 'n_event_factors') }} as event_mean_factor,
        {{ ratio('n_ceiling_below', 'n_ceiling_compared') }} as ceiling_below_prediction_share,
        last_seen,
        {{ triage_verdict('n_phases', 'median_factor') }} as verdict
    from grouped
    where n_phases > 0
)

select * from final
