with

scores as (
    select * from {{ ref('scores') }}
    where period in ('all', 'recent') and scope in ('all', 'success')
),

strata as (
    select * from {{ ref('int_strata') }}
),

cells as (
    select * from {{ ref('int_cells') }}
),

required_mixes as (
    select * from {{ ref('required_mixes') }}
),

deliverable_buckets as (
    select * from {{ ref('deliverable_buckets') }}
),

cell_mixes as (
    select
        cells.cell_key,
        required_mixes.dimension,
        required_mixes.name
    from cells
    left join deliverable_buckets
        on cells.deliverable_bucket = deliverable_buckets.name
    inner join required_mixes
        on
            required_mixes.name = case required_mixes.dimension
                when 'category' then cells.category
                when 'complexity' then cells.complexity
                when 'deliverables' then deliverable_buckets.size
            end
    where cells.n_success > 0
),

stratum_mixes as (
    select distinct
        strata.score_key,
        cell_mixes.dimension,
        cell_mixes.name
    from strata
    inner join cell_mixes
        on strata.cell_key = cell_mixes.cell_key
),

-- a stratum of one category cannot have a mix of categories, and so on
missing_mixes as (
    select
        scores.score_key,
        {{ joined_text("required_mixes.dimension || ' ' || required_mixes.name") }} as missing_mix
    from scores
    cross join required_mixes
    left join stratum_mixes
        on
            scores.score_key = stratum_mixes.score_key
            and required_mixes.dimension = stratum_mixes.dimension
            and required_mixes.name = stratum_mixes.name
    where
        stratum_mixes.name is null
        and 'all' = case required_mixes.dimension
            when 'category' then scores.category
            when 'complexity' then scores.complexity
            when 'deliverables' then scores.deliverable_bucket
        end
    group by scores.score_key
),

tiers as (
    select
        scores.*,
        missing_mixes.missing_mix,
        {{ ratio('scores.n_failure_mode', 'scores.n') }} as failure_mode_share
    from scores
    left join missing_mixes
        on scores.score_key = missing_mixes.score_key
),

judged as (
    select
        *,
        n_success >= {{ var('min_successes') }}
        and missing_mix is null
        and failure_mode_share <= {{ var('max_failure_mode_share') }} as has_enough_data
    from tiers
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
    from judged
),

final as (
    select
        score_key,
        missing_mix,
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
