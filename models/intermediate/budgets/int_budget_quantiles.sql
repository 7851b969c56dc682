{% set stricter -%}
    (partition by cell_level, cell order by max_truncation desc rows between unbounded preceding and current row)
{%- endset %}

with

quantiles as (
    select * from {{ ref('int_cell_quantiles') }}
),

medians as (
    select * from {{ ref('int_cell_medians') }}
),

so_far as (
    select * from {{ ref('int_so_far') }}
),

so_far_quantiles as (
    select * from {{ ref('int_so_far_quantiles') }}
),

base_budgets as (
    select * from {{ ref('base_budgets') }}
),

left_out as (
    select * from {{ ref('int_left_out') }}
),

located as (
    select
        *,
        split_part(cell, '|', 1) as label_part,
        {{ ancestor_cells() }}
    from quantiles
),

placed as (
    select
        *,
        {{ ancestor_label_cell() }},
        {{ parent_columns() }}
    from located
),

-- what such a cell would get if it were new: from what its label and its model needed so far
expected as (
    select
        placed.*,
        ln(of_all.median_tokens)
        + coalesce(of_model.ln_effect, 0)
        + coalesce(of_label.ln_effect, 0)
        + new_label.ln_factor as ln_label_so_far,
        case
            when placed.model is not null
                then
                    ln(of_cell.median_tokens)
                    + coalesce(of_model.ln_effect, 0)
                    + new_model.ln_factor
        end as ln_model_so_far
    from placed
    inner join medians as of_all
        on of_all.cell_level = 0
    inner join medians as of_cell
        on
            placed.label_level = of_cell.cell_level
            and placed.label_cell = of_cell.cell
    left join so_far as of_label
        on
            of_label.subject = 'label'
            and placed.label_part = {{ key_part('of_label.name') }}
    left join so_far as of_model
        on
            of_model.subject = 'model'
            and placed.model = of_model.name
    left join so_far_quantiles as new_label
        on
            new_label.subject = 'label'
            and {{ known_bin('of_label.n_known') }} is not distinct from new_label.known_bin
            and placed.max_truncation = new_label.max_truncation
    left join so_far_quantiles as new_model
        on
            new_model.subject = 'model'
            and placed.label_part = {{ key_part('new_model.top_label') }}
            and {{ known_bin('of_model.n_known') }} = new_model.known_bin
            and placed.max_truncation = new_model.max_truncation
),

blended as (
    select
        expected.*,
        {{ blended_levels(
            'expected.max_truncation',
            'case when expected.cell_level = 0 then ln(level_0.blended_tokens)'
            ~ ' else coalesce(expected.ln_label_so_far, ln(level_0.blended_tokens)) end',
            'expected.ln_model_so_far',
        ) }} as ln_budget,
        {{ own_data_weight('expected.n_event', 'expected.max_truncation') }} as own_weight,
        {{ share_of_own_cells('expected.max_truncation', 'expected') }} as own_cells_share,
        not level_0.has_enough_events as is_cold_start,
        {{ of_level_used('cell_level') }} as level_used,
        {{ of_level_used('strict_tokens') }} as used_strict_tokens,
        {{ of_level_used('n_event') }} as used_n_event,
        {{ of_level_used('n_censored') }} as used_n_censored,
        {{ is_identified_in_chain() }} as is_identified_in_chain
    from expected
    {{ ancestor_joins('quantiles', 'expected') }}
),

{{ stepped_by_size('blended') }},

-- the floors of the estimator, for comparison: of the cell, else of the complexity, else of all
floored as (
    select
        blended.*,
        coalesce(stepped.ln_budget, blended.ln_budget) as ln_stepped_budget,
        coalesce(of_cell.value, of_complexity.value, of_all.value) as base_budget_tokens
    from blended
    left join stepped
        on blended.quantile_key = stepped.quantile_key
    left join base_budgets as of_cell
        on
            blended.category = of_cell.category
            and blended.complexity = of_cell.complexity
    left join base_budgets as of_complexity
        on
            of_complexity.category is null
            and blended.complexity = of_complexity.complexity
    left join base_budgets as of_all
        on
            of_all.category is null
            and of_all.complexity is null
),

-- a stricter rate never gets less than a looser one
sized as (
    select
        *,
        case
            when not is_cold_start
                then max({{ rounded_budget('exp(ln_stepped_budget)') }}) over {{ stricter }}
        end as budget_blend_tokens,
        case
            when not is_cold_start
                then max({{ rounded_budget('used_strict_tokens') }}) over {{ stricter }}
        end as budget_strict_tokens
    from floored
),

-- what the runtime would answer without the row: the parent's budget. Without that of a value of
-- the widest label, or of a model, it would answer as for a new one, so these rows always stay.
compared as (
    select
        sized.*,
        sized.{{ var('exported_budget') }}_tokens as budget_tokens,
        case
            when sized.cell_level > 1 and coalesce(sized.model, '') = coalesce(parents.model, '')
                then parents.{{ var('exported_budget') }}_tokens
        end as fallback_tokens,
        -- runaways are cut off under any budget: more of them than the rate leave nothing to show
        sized.is_identified_in_chain
        and coalesce(left_out.starved_share <= sized.max_truncation, true) as is_shown
    from sized
    left join sized as parents
        on
            sized.parent_cell = parents.cell
            and sized.parent_level = parents.cell_level
            and sized.max_truncation = parents.max_truncation
    left join left_out
        on {{ label_object('sized.', label_level()) }} = left_out.labels
),

-- a cell is exported with all its rates, or not at all
told_apart as (
    select
        *,
        max(
            case
                when budget_tokens is null then 0
                when fallback_tokens is null then 1
                when abs(budget_tokens - fallback_tokens) >= {{ var('budget_step') }} then 1
                else 0
            end
        ) over (partition by cell_level, cell) = 1 as is_told_apart
    from compared
),

ranked as (
    select
        *,
        dense_rank() over (
            order by
                case when is_told_apart then 0 else 1 end asc,
                n desc,
                cell_level asc,
                cell asc
        ) as export_rank
    from told_apart
),

final as (
    select
        quantile_key as budget_key,
        cell_level,
        cell_level = {{ label_level() }} as is_label_level,
        {{ cell_label_columns() }},
        labels,
        model,
        input_bin,
        max_truncation,
        n,
        n_observed,
        n_censored,
        quantile_tokens as own_quantile_tokens,
        quantile_low_tokens as own_quantile_low_tokens,
        quantile_high_tokens as own_quantile_high_tokens,
        is_identified as is_own_quantile_identified,
        own_weight,
        own_cells_share,
        cast(level_used as bigint) as level_used,
        coalesce(is_shown, false) as is_identified,
        is_cold_start,
        cast(base_budget_tokens as bigint) as base_budget_tokens,
        cast(budget_blend_tokens as bigint) as budget_blend_tokens,
        cast(budget_strict_tokens as bigint) as budget_strict_tokens,
        {{ strict_confidence('used_n_event', 'max_truncation') }} as strict_confidence,
        coalesce(used_n_censored = 0 and budget_strict_tokens is not null, false)
            as is_strict_guaranteed,
        cast(budget_tokens as bigint) as budget_tokens,
        cast(fallback_tokens as bigint) as fallback_tokens,
        is_told_apart
        and export_rank <= {{ var('max_exported_cells') }}
        and budget_tokens is not null as is_exported,
        '{{ var("exported_budget") }}' as method
    from ranked
)

select * from final
