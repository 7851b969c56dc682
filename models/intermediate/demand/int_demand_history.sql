with

withheld_events as (
    select * from {{ ref('int_withheld_events') }}
),

calls as {{ inlined() }} (
    select * from {{ ref('int_demand') }}
),

-- where a source counted too many calls in part, the others are no sample of what it answered
demand as {{ inlined() }} (
    select * from calls
    where
        not exists (
            select 1 from withheld_events
            where withheld_events.event_id = calls.event_id
        )
),

replayed_estimates as (
    select * from {{ ref('int_replayed_estimates') }}
),

horizon as (
    select * from {{ ref('int_window') }}
),

days as (
    select
        {{ label_columns() }},
        model,
        cast(date_trunc('day', occurred_at) as timestamp) as starts_at,
        count(case when demand_state <> 'excluded' then 1 end) as n_usable
    from demand
    where {{ is_until_as_of('occurred_at') }}
    group by {{ label_columns() }}, model, cast(date_trunc('day', occurred_at) as timestamp)
),

followed_days as (
    select
        *,
        sum(n_usable) over (
            partition by {{ label_columns() }}, model
            order by starts_at desc
        ) - n_usable as n_after
    from days
),

-- only the days that hold the newest calls are sorted by call
first_days as (
    select
        {{ label_columns() }},
        model,
        min(starts_at) as starts_at
    from followed_days
    where {{ is_recent_call('n_after') }}
    group by {{ label_columns() }}, model
),

usable as (
    select
        demand.*,
        replayed_estimates.replayed_output_tokens
    from demand
    cross join horizon
    inner join first_days
        on
            {{ same_labels('demand', 'first_days') }}
            and demand.model is not distinct from first_days.model
            and demand.occurred_at >= first_days.starts_at
    left join replayed_estimates
        on demand.event_id = replayed_estimates.event_id
    where
        demand.demand_state <> 'excluded'
        and {{ is_in_window('demand.occurred_at', 'horizon.ends_at') }}
),

aged as (
    select
        *,
        row_number() over (
            partition by {{ label_columns() }}, model
            order by occurred_at desc, call_id desc
        ) - 1 as calls_since
    from usable
),

final as (
    select
        call_id,
        event_id,
        occurred_at,
        run_id,
        {{ label_columns() }},
        model,
        {{ estimate_bin('replayed_output_tokens') }} as estimate_bin,
        input_bin,
        input_tokens,
        is_control,
        is_first_truncated,
        is_first_under_quantile,
        first_max_truncation,
        demand_state = 'observed' as is_observed,
        demand_tokens,
        {{ age_weight('calls_since') }} as weight
    from aged
    where {{ is_recent_call('calls_since') }}
)

select * from final
