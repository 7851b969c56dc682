with

demand as (
    select * from {{ ref('int_demand') }}
),

horizon as (
    select {{ as_of('occurred_at') }} as ends_at
    from demand
),

usable as (
    select demand.*
    from demand
    cross join horizon
    where
        demand.demand_state <> 'excluded'
        and {{ is_in_window('demand.occurred_at', 'horizon.ends_at') }}
),

aged as (
    select
        *,
        row_number() over (
            partition by category, complexity, model
            order by occurred_at desc, call_id desc
        ) - 1 as calls_since
    from usable
),

final as (
    select
        call_id,
        event_id,
        occurred_at,
        category,
        complexity,
        model,
        input_bin,
        input_tokens,
        is_control,
        is_first_truncated,
        demand_state = 'observed' as is_observed,
        demand_tokens,
        {{ age_weight('calls_since') }} as weight
    from aged
    where {{ is_recent_call('calls_since') }}
)

select * from final
