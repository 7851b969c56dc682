with

history as (
    select * from {{ ref('int_demand_history') }}
),

medians as (
    select * from {{ ref('int_cell_medians') }}
),

newest as (
    select
        call_id,
        occurred_at,
        run_id,
        demand_tokens,
        {{ top_label() }} as top_label,
        model,
        is_observed,
        ln(greatest(demand_tokens, 1)) as ln_needed,
        estimate_bin,
        {{ effect_cell_columns() }},
        {{ narrowest_cell_columns() }}
    from history
    order by occurred_at desc, call_id desc
    limit {{ var('so_far_calls') }}
),

-- calls that have more to deliver lie higher whatever their model
sizes as (
    select
        effect_cell,
        estimate_bin,
        cast(count(*) as double) as n_calls,
        avg(ln_needed) as mean_needed
    from newest
    where estimate_bin is not null
    group by effect_cell, estimate_bin
),

all_sizes as (
    select
        effect_cell,
        {{ ratio('sum(n_calls * mean_needed)', 'sum(n_calls)') }} as mean_needed
    from sizes
    group by effect_cell
),

size_effects as (
    select
        sizes.effect_cell,
        sizes.estimate_bin,
        {{ own_data_weight('sizes.n_calls', '0.5') }}
        * (sizes.mean_needed - all_sizes.mean_needed) as size_effect
    from sizes
    inner join all_sizes
        on sizes.effect_cell = all_sizes.effect_cell
),

measured as (
    select
        newest.*,
        newest.ln_needed - ln(of_all.median_tokens) as ln_above_all,
        newest.ln_needed - ln(of_cell.median_tokens) - coalesce(size_effects.size_effect, 0)
            as ln_above_cell
    from newest
    inner join medians as of_cell
        on
            newest.effect_cell_level = of_cell.cell_level
            and newest.effect_cell = of_cell.cell
    inner join medians as of_all
        on of_all.cell_level = 0
    left join size_effects
        on
            newest.effect_cell = size_effects.effect_cell
            and newest.estimate_bin = size_effects.estimate_bin
),

numbered as (
    select
        *,
        row_number() over (partition by model order by occurred_at asc, call_id asc) as model_no,
        row_number() over (partition by top_label order by occurred_at asc, call_id asc)
            as label_no
    from measured
),

-- a model first, over all labels, and what it leaves is the label's
model_effects as (
    select
        *,
        case
            when model is null then 0
            else {{ so_far_effect('ln_above_cell', 'model', 'model_no') }}
        end as model_effect
    from numbered
),

left_over as (
    select
        *,
        ln_above_all - model_effect as ln_above_model
    from model_effects
),

final as (
    select
        call_id,
        occurred_at,
        run_id,
        cell_level,
        cell,
        demand_tokens,
        top_label,
        model,
        is_observed,
        model_no,
        label_no,
        ln_above_all,
        ln_above_cell,
        ln_above_model,
        model_effect,
        case
            when top_label is null then 0
            else {{ so_far_effect('ln_above_model', 'top_label', 'label_no') }}
        end as label_effect
    from left_over
)

select * from final
