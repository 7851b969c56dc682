{% set segmentations = {
    'overall': [],
    'category': ['category'],
    'complexity': ['complexity'],
    'deliverable_bucket': ['deliverable_bucket'],
    'category_complexity': ['category', 'complexity'],
    'category_bucket': ['category', 'deliverable_bucket'],
    'complexity_bucket': ['complexity', 'deliverable_bucket'],
} %}

with

phases as (
    select * from {{ ref('truncated_phases') }}
),

-- the origin's six segmentations, and all
grouped as (
    {% for segmentation, columns in segmentations.items() %}
        select
            '{{ segmentation }}' as segmentation,
            {{ split_columns(columns) }},
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
        {{ group_by_columns(columns) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

named as (
    select
        *,
        {{ stratum_name() }} as segment
    from grouped
    where n_phases > 0
),

final as (
    select
        {{ key_of(['segmentation', 'category', 'complexity', 'deliverable_bucket']) }}
            as segment_key,
        segmentation,
        segment,
        category,
        complexity,
        deliverable_bucket,
        n_phases,
        cast(n_events as bigint) as n_events,
        median_factor,
        max_factor,
        {{ ratio('event_factor_sum', 'n_event_factors') }} as event_mean_factor,
        {{ ratio('n_ceiling_below', 'n_ceiling_compared') }} as ceiling_below_prediction_share,
        last_seen,
        {{ triage_verdict('n_phases', 'median_factor') }} as verdict
    from named
)

select * from final
