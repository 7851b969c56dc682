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
        {{ key_of(['cell_level', 'cell', plain_number('max_truncation')]) }} as quantile_key,
        {{ ancestor_cells() }}
    from quantiles
),

-- the ends of the range are as far out as the calls beyond them are few
placed as (
    select
        *,
        least(max_truncation, 1 - max_truncation) as share_beyond,
        {{ parent_columns() }}
    from located
),

blended as (
    select
        placed.*,
        {{ own_data_weight('placed.n_event', '0.5') }} as own_weight,
        {{ blended_levels('placed.share_beyond') }} as ln_budget
    from placed
    {{ ancestor_joins('quantiles', 'placed') }}
),

{{ stepped_by_size('blended', 'share_beyond') }},

medians as (
    select
        blended.cell_level,
        blended.cell,
        blended.parent_level,
        blended.parent_cell,
        {{ cell_label_columns('blended.') }},
        blended.model,
        blended.input_bin,
        {% for column, those in [('low', '> 0.5'), ('median', '= 0.5'), ('high', '< 0.5')] %}
            max(
                case
                    when blended.max_truncation {{ those }}
                        then exp(coalesce(stepped.ln_budget, blended.ln_budget))
                end
            ) as {{ column }}_tokens,
        {% endfor %}
        max(blended.n_observed) as n_observed,
        max(blended.own_weight) as own_weight
    from blended
    left join stepped
        on blended.quantile_key = stepped.quantile_key
    group by
        blended.cell_level, blended.cell, blended.parent_level, blended.parent_cell,
        {{ cell_label_columns('blended.') }}, blended.model, blended.input_bin
),

-- what the runtime would answer without the row is the parent's, and that is near enough
compared as (
    select
        medians.*,
        medians.cell_level <= {{ label_level() + 1 }}
        or abs(ln(medians.median_tokens / parents.median_tokens)) >= 0.02
        or abs(ln(medians.high_tokens / parents.high_tokens)) >= 0.02 as is_told_apart
    from medians
    left join medians as parents
        on
            medians.parent_level = parents.cell_level
            and medians.parent_cell = parents.cell
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
