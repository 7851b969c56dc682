with

survival as (
    select * from {{ ref('int_demand_survival') }}
    where cell_level <= {{ narrowest_level() }}
),

rates as (
    {{ rate_rows(var('truncation_rates')) }}
),

cells as (
    select
        cell_level,
        cell,
        {{ cell_label_columns() }},
        model,
        input_bin,
        sum(n_calls) as n_calls,
        sum(n_observed) as n_observed,
        {{ effective_number('event_weight', 'squared_event_weight') }} as n_event,
        max(demand_tokens) as max_demand_tokens,
        min(ln_survival) as last_ln_survival
    from survival
    group by cell_level, cell, {{ cell_label_columns() }}, model, input_bin
),

rated as (
    select
        cells.*,
        rates.rate as max_truncation
    from cells
    cross join rates
),

shared as (
    select
        *,
        {{ has_enough_events('n_event', 'max_truncation') }} as has_enough_events,
        {{ conformal_share('n_event', 'max_truncation') }} as strict_share,
        {{ conformal_share_below('n_event', 'max_truncation') }} as share_below
    from rated
),

read_off as (
    select
        shared.cell_level,
        shared.cell,
        shared.max_truncation,
        {{ survival_quantile('demand_tokens', 'ln_survival', 'shared.strict_share') }}
            as reached_tokens,
        {{ survival_quantile('demand_tokens', 'ln_survival', 'shared.share_below') }}
            as below_tokens,
        {{ survival_quantile(
            'demand_tokens', 'ln_survival', share_bound('shared.strict_share', 'shared.n_event', '-')
        ) }} as low_tokens,
        {{ survival_quantile(
            'demand_tokens', 'ln_survival', share_bound('shared.strict_share', 'shared.n_event', '+')
        ) }} as high_tokens
    from shared
    inner join survival
        on
            shared.cell_level = survival.cell_level
            and shared.cell = survival.cell
    group by shared.cell_level, shared.cell, shared.max_truncation
),

final as (
    select
        concat_ws(
            '|',
            cast(shared.cell_level as string),
            shared.cell,
            {{ plain_number('shared.max_truncation') }}
        ) as quantile_key,
        cast(shared.cell_level as bigint) as cell_level,
        shared.cell,
        {{ cell_label_columns('shared.') }},
        {{ label_object('shared.') }} as labels,
        shared.model,
        shared.input_bin,
        shared.max_truncation,
        cast(shared.n_calls as bigint) as n,
        cast(shared.n_observed as bigint) as n_observed,
        cast(shared.n_calls - shared.n_observed as bigint) as n_censored,
        coalesce(shared.n_event, cast(0 as double)) as n_event,
        coalesce(shared.has_enough_events, false) as has_enough_events,
        coalesce(read_off.reached_tokens is not null and shared.has_enough_events, false)
            as is_identified,
        case
            when shared.n_observed > 0
                then coalesce(read_off.reached_tokens, shared.max_demand_tokens)
        end as quantile_tokens,
        case when shared.has_enough_events then read_off.low_tokens end
            as quantile_low_tokens,
        case when shared.has_enough_events then read_off.high_tokens end
            as quantile_high_tokens,
        -- beyond the largest bound the data say nothing: a tail is drawn on, and never "identified"
        case
            when shared.n_observed > 0
                then {{ blended_quantile(
                    'read_off.below_tokens',
                    'read_off.reached_tokens',
                    'shared.max_demand_tokens',
                    'shared.last_ln_survival',
                    'shared.n_event',
                    'shared.max_truncation',
                ) }}
        end as blended_tokens,
        case
            when shared.has_enough_events
                then
                    coalesce(
                        cast(read_off.reached_tokens as double),
                        {{ beyond_bounds(
                            'shared.max_demand_tokens',
                            'shared.last_ln_survival',
                            'shared.n_event',
                            'shared.max_truncation',
                        ) }}
                    )
        end as strict_tokens,
        read_off.reached_tokens is null as is_beyond_bounds,
        shared.max_demand_tokens
    from shared
    inner join read_off
        on
            shared.cell_level = read_off.cell_level
            and shared.cell = read_off.cell
            and shared.max_truncation = read_off.max_truncation
)

select * from final
