with

survival as (
    select * from {{ ref('int_demand_survival') }}
    where cell_level = 1
),

history as (
    select * from {{ ref('int_demand_history') }}
),

rates as (
    {{ rate_rows((var('cost_rates') + [var('target_truncation')]) | unique | sort) }}
),

inputs as (
    select
        {{ top_label() }} as top_label,
        cast(avg(input_tokens) as double) as mean_input_tokens
    from history
    group by {{ top_label() }}
),

values_of_label as (
    select
        {{ top_label() }} as top_label,
        sum(n_calls) as n_calls,
        {{ effective_number('event_weight', 'squared_event_weight') }} as n_event
    from survival
    group by {{ top_label() }}
),

shared as (
    select
        values_of_label.top_label,
        values_of_label.n_calls,
        rates.rate as max_truncation,
        {{ conformal_share('values_of_label.n_event', 'rates.rate') }} as covered_share
    from values_of_label
    cross join rates
    where {{ has_enough_events('values_of_label.n_event', 'rates.rate') }}
),

-- the budget of the rate, and the share of calls that need more than it
budgeted as (
    select
        shared.top_label,
        shared.max_truncation,
        shared.n_calls,
        {{ survival_quantile('demand_tokens', 'ln_survival', 'shared.covered_share') }}
            as budget_tokens,
        max(
            case
                when
                    {{ surviving_share('survival.ln_survival') }}
                    <= 1 - shared.covered_share + 1e-9
                    then {{ surviving_share('survival.ln_survival') }}
            end
        ) as truncated_share
    from shared
    inner join survival
        on shared.top_label = survival.{{ top_label() }}
    group by shared.top_label, shared.max_truncation, shared.n_calls
),

priced as (
    select
        budgeted.*,
        inputs.mean_input_tokens,
        {{ call_cost(
            'budgeted.budget_tokens',
            'budgeted.truncated_share',
            'coalesce(inputs.mean_input_tokens, 0)',
        ) }} as cost_per_call
    from budgeted
    inner join inputs
        on budgeted.top_label = inputs.top_label
    where budgeted.budget_tokens is not null
),

compared as (
    select
        *,
        min(cost_per_call) over (partition by top_label) as least_cost,
        row_number() over (
            partition by top_label
            order by cost_per_call asc, max_truncation asc
        ) as cost_rank
    from priced
),

final as (
    select
        {{ key_of(['top_label', plain_number('max_truncation')]) }} as cost_key,
        top_label,
        max_truncation,
        cast(n_calls as bigint) as n,
        cast(budget_tokens as bigint) as budget_tokens,
        truncated_share,
        mean_input_tokens,
        cost_per_call,
        {{ ratio('cost_per_call', 'least_cost') }} as cost_ratio,
        cost_rank = 1 as is_cheapest,
        max_truncation = cast({{ var('target_truncation') }} as double) as is_current
    from compared
)

select * from final
