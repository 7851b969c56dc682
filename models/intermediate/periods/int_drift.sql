with

blocks as (
    select * from {{ ref('scores') }}
    where period = 'runs'
),

counted_calls as (
    select * from {{ ref('int_counted_calls') }}
    where {{ is_analysed() }}
),

-- the first call of the baseline: a block that begins before it is of other versions too
pinned as (
    select min(first_seen) as begins_at
    from counted_calls
    where {{ is_of_baseline() }}
),

ranked as (
    select
        blocks.*,
        row_number() over (
            partition by blocks.slice, blocks.stratum
            order by
                case when blocks.period_start >= pinned.begins_at then 0 else 1 end asc,
                blocks.period_no asc
        ) = 1 and blocks.period_start >= pinned.begins_at as is_baseline,
        row_number() over (
            partition by blocks.slice, blocks.stratum order by blocks.period_no desc
        ) as n_after
    from blocks
    cross join pinned
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
            and baseline.is_baseline
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
