with

events as (
    select *{{ further_label_columns('labels') }}
    from {{ ref('int_events') }}
),

demand as (
    select * from {{ ref('int_demand') }}
),

budget_quantiles as (
    select * from {{ ref('budget_quantiles') }}
),

rates as (
    {{ rate_rows(var('truncation_rates')) }}
),

-- copies and test rows are nobody's calls
calls as (
    select
        events.*,
        demand.excluded_reason is not null as is_left_out,
        coalesce(events.actual_max_tokens, events.assumed_max_tokens) as ceiling_tokens
    from events
    left join demand
        on events.event_id = demand.event_id
    where coalesce(demand.excluded_reason, '') not in ('synthetic', 'repeated')
),

placed as (
    select
        *,
        {{ group_level() }} as cell_level
    from calls
),

-- a call belongs to the narrowest group that its labels name
labelled as (
    select
        actual_output_tokens,
        actual_max_tokens,
        ceiling_tokens,
        is_truncated,
        is_left_out,
        stop_class,
        cell_level,
        {{ group_columns() }},
        -- a group spans the estimates of all sizes
        cast(null as string) as estimate_bin
    from placed
),

named as (
    select
        *,
        {{ label_object() }} as labels,
        {{ group_name() }} as call_group
    from labelled
),

ceilings as (
    select
        cell_level,
        labels,
        ceiling_tokens,
        row_number() over (
            partition by cell_level, labels
            order by count(*) desc, ceiling_tokens desc
        ) as commonness
    from named
    where ceiling_tokens is not null
    group by cell_level, labels, ceiling_tokens
),

counted as (
    select
        cell_level,
        labels,
        max(call_group) as call_group,
        count(*) as n,
        count(is_truncated) as n_known,
        sum(case when is_truncated then 1 else 0 end) as n_truncated,
        sum(case when stop_class = 'unrecorded' then 1 else 0 end) as n_without_stop_word,
        sum(case when is_left_out then 1 else 0 end) as n_left_out,
        count(ceiling_tokens) as n_with_ceiling,
        count(actual_max_tokens) as n_with_recorded_ceiling,
        min(ceiling_tokens) as least_ceiling_tokens,
        max(ceiling_tokens) as most_ceiling_tokens,
        sum(ceiling_tokens) as reserved_tokens,
        max(actual_output_tokens) as most_output_tokens
    from named
    group by cell_level, labels
),

rated as (
    select
        counted.*,
        rates.rate as max_truncation,
        ceilings.ceiling_tokens as usual_ceiling_tokens,
        budget_quantiles.budget_tokens,
        counted.n_truncated / nullif(cast(counted.n_known as double), 0) as truncation_rate,
        coalesce(budget_quantiles.is_identified, false) as is_identified,
        coalesce(budget_quantiles.n_observed, 0) as n_observed,
        coalesce(budget_quantiles.n_censored, 0) as n_censored
    from counted
    cross join rates
    left join ceilings
        on
            counted.cell_level = ceilings.cell_level
            and counted.labels = ceilings.labels
            and ceilings.commonness = 1
    left join budget_quantiles
        on
            counted.cell_level = budget_quantiles.cell_level
            and counted.labels = budget_quantiles.labels
            and rates.rate = budget_quantiles.max_truncation
            and budget_quantiles.model is null
            and budget_quantiles.input_bin is null
),

-- never called safe without evidence: a lower ceiling needs a quantile that the calls show
judged as (
    select
        *,
        case
            when n_known = 0 then 'unknown'
            when budget_tokens is null then 'too_few'
            when usual_ceiling_tokens is null then 'no_ceiling'
            when truncation_rate > max_truncation and budget_tokens > usual_ceiling_tokens
                then 'raise'
            when truncation_rate > max_truncation then 'too_few'
            when budget_tokens >= usual_ceiling_tokens * (1 - {{ var('worth_changing') }})
                then 'keep'
            when is_identified then 'lower'
            else 'too_few'
        end as verdict
    from rated
),

final as (
    select
        call_group,
        labels,
        max_truncation,
        cast(n as bigint) as n,
        cast(n_known as bigint) as n_known,
        cast(n_truncated as bigint) as n_truncated,
        truncation_rate,
        cast(n_without_stop_word as bigint) as n_without_stop_word,
        cast(n_left_out as bigint) as n_left_out,
        cast(n_with_ceiling as bigint) as n_with_ceiling,
        cast(n_with_recorded_ceiling as bigint) as n_with_recorded_ceiling,
        usual_ceiling_tokens,
        least_ceiling_tokens,
        most_ceiling_tokens,
        most_output_tokens,
        budget_tokens,
        budget_tokens is not null and not is_identified as is_at_least,
        cast(n_observed as bigint) as n_observed,
        cast(n_censored as bigint) as n_censored,
        {{ has_enough_events('n_observed', 'max_truncation') }} as has_enough_calls,
        verdict,
        cast(reserved_tokens as bigint) as reserved_tokens,
        case
            when verdict = 'lower'
                then cast(reserved_tokens - n_with_ceiling * budget_tokens as bigint)
        end as freed_tokens,
        row_number() over (
            order by
                max_truncation asc,
                case when truncation_rate > max_truncation then 0 else 1 end asc,
                n_truncated desc,
                n desc,
                labels asc
        ) as row_no
    from judged
)

select * from final
