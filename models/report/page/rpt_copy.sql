with

advice as (
    select * from {{ ref('advice') }}
    where figure = 'ceiling'
),

outcomes as (
    select * from {{ ref('int_ceiling_outcomes') }}
),

-- of a group that one model serves, the ceiling is the group's, as the advice says it
ranked as (
    select
        advice.subject,
        outcomes.model,
        outcomes.n,
        outcomes.usual_ceiling_tokens as now_max_tokens,
        case
            when count(*) over (partition by outcomes.labels) = 1
                then cast(advice.proposed as bigint)
            when advice.proposed is not null then cast(ceil(outcomes.median_proposed) as bigint)
        end as max_tokens,
        {{ ratio('outcomes.n_truncated', 'outcomes.n_known') }} as cut_off_rate,
        case
            when advice.proposed is not null
                then {{ ratio('outcomes.n_cut_off_then', 'outcomes.n_proposed') }}
        end as then_cut_off_rate,
        case
            when advice.proposed is not null
                then
                    {{ ratio(
                        'outcomes.n_cut_off_then + outcomes.n_undecided_then', 'outcomes.n_proposed'
                    ) }}
        end as then_at_most_rate,
        case when advice.proposed is not null then outcomes.most_cost_per_1000 end
            as most_dollars_per_1000,
        advice.verdict,
        row_number() over (
            order by
                case when advice.proposed is null then 1 else 0 end asc,
                outcomes.n desc,
                advice.subject asc,
                outcomes.model asc
        ) as row_no
    from outcomes
    inner join advice
        on outcomes.labels = advice.labels
),

final as (
    select *
    from ranked
    where row_no <= 40
)

select * from final
