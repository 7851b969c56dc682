{% set tail = (1 - var('estimate_range')) / 2 %}
with

survival as (
    select * from {{ ref('int_demand_survival') }}
    where cell_level <= {{ narrowest_level() }}
),

-- the rate of a median is one half; those of the ends of the range are the two tails
rates as (
    {{ rate_rows([tail, 0.5, 1 - tail]) }}
),

cells as (
    select
        cell_level,
        cell,
        {{ cell_label_columns() }},
        model,
        input_bin,
        sum(n_observed) as n_observed,
        {{ effective_number('event_weight', 'squared_event_weight') }} as n_event,
        max(demand_tokens) as max_demand_tokens,
        min(ln_survival) as last_ln_survival
    from survival
    group by cell_level, cell, {{ cell_label_columns() }}, model, input_bin
),

shared as (
    select
        cells.*,
        rates.rate as max_truncation,
        {{ conformal_share('cells.n_event', 'rates.rate') }} as share_above,
        {{ conformal_share_below('cells.n_event', 'rates.rate') }} as share_below
    from cells
    cross join rates
),

read_off as (
    select
        shared.cell_level,
        shared.cell,
        shared.max_truncation,
        {{ survival_quantile('demand_tokens', 'ln_survival', 'shared.share_above') }}
            as reached_tokens,
        {{ survival_quantile('demand_tokens', 'ln_survival', 'shared.share_below') }}
            as below_tokens
    from shared
    inner join survival
        on
            shared.cell_level = survival.cell_level
            and shared.cell = survival.cell
    group by shared.cell_level, shared.cell, shared.max_truncation
),

quantiles as (
    select
        shared.cell_level,
        shared.cell,
        {{ cell_label_columns('shared.') }},
        shared.model,
        shared.input_bin,
        shared.max_truncation,
        shared.n_observed,
        shared.n_event,
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
        end as blended_tokens
    from shared
    inner join read_off
        on
            shared.cell_level = read_off.cell_level
            and shared.cell = read_off.cell
            and shared.max_truncation = read_off.max_truncation
),

located as (
    select
        *,
        {{ ancestor_cells() }}
    from quantiles
),

blended as (
    select
        located.*,
        {{ own_data_weight('located.n_event', '0.5') }} as own_weight,
        {{ blended_levels('least(located.max_truncation, 1 - located.max_truncation)') }}
            as ln_budget
    from located
    {{ ancestor_joins('quantiles', 'located') }}
),

medians as (
    select
        cell_level,
        cell,
        {{ cell_label_columns() }},
        model,
        input_bin,
        max(n_observed) as n_observed,
        max(own_weight) as own_weight,
        max(case when max_truncation > 0.5 then exp(ln_budget) end) as low_tokens,
        max(case when max_truncation = 0.5 then exp(ln_budget) end) as median_tokens,
        max(case when max_truncation < 0.5 then exp(ln_budget) end) as high_tokens
    from blended
    group by cell_level, cell, {{ cell_label_columns() }}, model, input_bin
),

located_medians as (
    select
        *,
        {{ parent_columns() }}
    from (
        select
            *,
            {{ ancestor_cells() }}
        from medians
    ) as located
),

-- what the runtime would answer without the row is the parent's, and that is near enough
compared as (
    select
        located_medians.*,
        located_medians.cell_level <= {{ label_level() + 1 }}
        or abs(ln(located_medians.median_tokens / parents.median_tokens)) >= 0.02
        or abs(ln(located_medians.high_tokens / parents.high_tokens)) >= 0.02 as is_told_apart
    from located_medians
    left join medians as parents
        on
            located_medians.parent_level = parents.cell_level
            and located_medians.parent_cell = parents.cell
),

ranked as (
    select
        *,
        row_number() over (
            order by
                case when is_told_apart then 0 else 1 end asc,
                n_observed desc,
                cell_level asc,
                cell asc
        ) as export_rank
    from compared
),

final as (
    select
        cast(cell_level as bigint) as cell_level,
        cell,
        {{ cell_label_columns() }},
        {{ label_object() }} as labels,
        model,
        input_bin,
        cast(n_observed as bigint) as n_observed,
        own_weight,
        low_tokens,
        median_tokens,
        high_tokens,
        is_told_apart
        and export_rank <= {{ var('max_exported_cells') }}
        and median_tokens is not null as is_exported
    from ranked
)

select * from final
