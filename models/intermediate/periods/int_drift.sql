with

blocks as (
    select * from {{ ref('scores') }}
    where period = 'runs'
),

ranked as (
    select
        *,
        row_number() over (partition by slice, stratum order by period_no asc) as n_before,
        row_number() over (partition by slice, stratum order by period_no desc) as n_after
    from blocks
),

compared as (
    select
        newest.slice,
        newest.stratum,
        baseline.score_key as baseline_key,
        newest.score_key as newest_key,
        {{ rate_change(
            'newest.truncation_lower', 'newest.truncation_upper',
            'baseline.truncation_lower', 'baseline.truncation_upper'
        ) }} as truncation_change,
        {{ rate_change(
            'newest.underestimation_lower', 'newest.underestimation_upper',
            'baseline.underestimation_lower', 'baseline.underestimation_upper'
        ) }} as underestimation_change
    from ranked as newest
    left join ranked as baseline
        on
            newest.slice = baseline.slice
            and newest.stratum = baseline.stratum
            and baseline.n_before = 1
            and baseline.n_after > 1
    where newest.n_after = 1
),

final as (
    select
        *,
        case
            when baseline_key is null then 'no baseline'
            else {{ overall_change('truncation_change', 'underestimation_change') }}
        end as drift
    from compared
)

select * from final
