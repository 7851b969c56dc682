with

survival as (
    select * from {{ ref('int_demand_survival') }}
    where
        cell_level in (
            {{ level_of([]) }},
            {{ level_of(['category']) }},
            {{ level_of(['category', 'complexity']) }}
        )
),

cells as (
    select
        cell_level,
        cell,
        category,
        complexity,
        sum(n_calls) as n_calls,
        sum(n_observed) as n_observed,
        {{ effective_number('event_weight', 'squared_event_weight') }} as n_event,
        max(demand_tokens) as max_demand_tokens,
        min(ln_survival) as last_ln_survival
    from survival
    group by cell_level, cell, category, complexity
),

-- the median, the ends of its interval, and the ends of the range of single calls
read_off as (
    select
        cells.cell_level,
        cells.cell,
        {{ survival_quantile('demand_tokens', 'ln_survival', '0.5') }} as median_tokens,
        {{ survival_quantile('demand_tokens', 'ln_survival', share_bound('0.5', 'n_event', '-')) }}
            as median_low_tokens,
        {{ survival_quantile('demand_tokens', 'ln_survival', share_bound('0.5', 'n_event', '+')) }}
            as median_high_tokens,
        {{ survival_quantile('demand_tokens', 'ln_survival', range_share('low')) }}
            as range_low_tokens,
        {{ survival_quantile('demand_tokens', 'ln_survival', range_share('high')) }}
            as range_high_tokens
    from cells
    inner join survival
        on
            cells.cell_level = survival.cell_level
            and cells.cell = survival.cell
    where cells.n_observed > 0
    group by cells.cell_level, cells.cell, cells.n_event
),

levels as (
    select
        cells.cell_level,
        cells.category,
        cells.complexity,
        cells.n_calls,
        cells.n_observed,
        cells.n_event,
        read_off.median_tokens as own_median_tokens,
        read_off.median_low_tokens,
        read_off.median_high_tokens,
        coalesce(
            read_off.median_tokens,
            {{ beyond_bounds(
                'cells.max_demand_tokens', 'cells.last_ln_survival', 'cells.n_event', '0.5'
            ) }}
        ) as median_tokens,
        coalesce(
            read_off.range_low_tokens,
            {{ beyond_bounds(
                'cells.max_demand_tokens', 'cells.last_ln_survival', 'cells.n_event', '1 - ' ~ range_share('low')
            ) }}
        ) as range_low_tokens,
        coalesce(
            read_off.range_high_tokens,
            {{ beyond_bounds(
                'cells.max_demand_tokens', 'cells.last_ln_survival', 'cells.n_event', '1 - ' ~ range_share('high')
            ) }}
        ) as range_high_tokens
    from cells
    inner join read_off
        on
            cells.cell_level = read_off.cell_level
            and cells.cell = read_off.cell
),

shrunk as (
    select
        own.category,
        own.complexity,
        own.n_calls,
        own.n_observed,
        own.n_event,
        own.own_median_tokens,
        {{ shrunk_cascade('median_tokens') }} as ln_median,
        {{ shrunk_cascade('median_tokens', 'median_low_tokens') }} as ln_median_low,
        {{ shrunk_cascade('median_tokens', 'median_high_tokens') }} as ln_median_high,
        {{ shrunk_cascade('range_low_tokens') }} as ln_range_low,
        {{ shrunk_cascade('range_high_tokens') }} as ln_range_high
    from levels as own
    inner join levels as of_category
        on
            of_category.cell_level = {{ level_of(['category']) }}
            and own.category = of_category.category
    inner join levels as of_all
        on of_all.cell_level = {{ level_of([]) }}
    where own.cell_level = {{ level_of(['category', 'complexity']) }}
),

final as (
    select
        category,
        complexity,
        cast(n_calls as bigint) as n_calls,
        cast(n_observed as bigint) as n_observed,
        n_event,
        own_median_tokens,
        exp(ln_median) as median_tokens,
        exp(ln_median_low) as median_low_tokens,
        exp(ln_median_high) as median_high_tokens,
        exp(ln_range_low) as range_low_tokens,
        exp(ln_range_high) as range_high_tokens
    from shrunk
)

select * from final
