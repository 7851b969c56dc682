with

budget_quantiles as (
    select * from {{ ref('int_budget_quantiles') }}
),

left_out as (
    select * from {{ ref('int_left_out') }}
),

failed_call_shift as (
    select * from {{ ref('int_failed_call_shift') }}
),

online_rates as (
    select * from {{ ref('int_online_rates') }}
    where is_used
),

rate_costs as (
    select * from {{ ref('int_rate_costs') }}
),

cheapest_rates as (
    select
        top_label,
        max_truncation
    from rate_costs
    where is_cheapest
),

rates as (
    {{ rate_rows(var('truncation_rates')) }}
),

counted as (
    select
        left_out.*,
        rates.rate as max_truncation,
        concat_ws(
            '|',
            cast(left_out.cell_level as string),
            left_out.cell,
            {{ plain_number('rates.rate') }}
        ) as budget_key
    from left_out
    cross join rates
),

-- cells of which all calls were left out have no quantile, and are there all the same
placed as (
    select
        coalesce(budgets.budget_key, counted.budget_key) as evidence_key,
        coalesce(budgets.cell_level, counted.cell_level) as cell_level,
        coalesce(budgets.labels, counted.labels) as labels,
        {% for name in cell_label_columns().split(', ') %}
            coalesce(budgets.{{ name }}, counted.{{ name }}) as {{ name }},
        {% endfor %}
        budgets.model,
        budgets.input_bin,
        coalesce(budgets.max_truncation, counted.max_truncation) as max_truncation,
        coalesce(budgets.n, 0) as n,
        coalesce(budgets.n_observed, 0) as n_observed,
        coalesce(budgets.n_censored, 0) as n_censored,
        budgets.own_quantile_tokens,
        budgets.own_quantile_low_tokens,
        budgets.own_quantile_high_tokens,
        coalesce(budgets.is_own_quantile_identified, false) as is_own_quantile_identified,
        budgets.own_weight,
        budgets.own_cells_share,
        budgets.level_used,
        budgets.budget_tokens,
        coalesce(budgets.is_identified, false) as is_identified,
        budgets.strict_confidence,
        coalesce(budgets.is_strict_guaranteed, false) as is_strict_guaranteed,
        coalesce(budgets.is_exported, false) as is_exported,
        {% for reason in left_out_reasons() %}
            counted.n_{{ reason }},
        {% endfor %}
        counted.n_calls,
        counted.n_excluded
    from budget_quantiles as budgets
    full outer join counted
        on budgets.budget_key = counted.budget_key
),

final as (
    select
        placed.evidence_key,
        placed.cell_level,
        {% for name in estimator_labels() %}
            {{ 'coalesce(placed.' ~ name ~ ", 'all')" if name in labels() else "'all'" }}
                as {{ name }},
        {% endfor %}
        placed.labels,
        coalesce(placed.estimate_bin, 'all') as estimate_bin,
        coalesce(placed.model, 'all') as model,
        coalesce(cast(placed.input_bin as string), 'all') as input_bin,
        placed.max_truncation,
        placed.n,
        placed.n_observed,
        placed.n_censored,
        placed.own_quantile_tokens,
        placed.own_quantile_low_tokens,
        placed.own_quantile_high_tokens,
        placed.is_own_quantile_identified,
        placed.own_weight,
        placed.own_cells_share,
        placed.level_used,
        placed.budget_tokens,
        placed.is_identified,
        placed.strict_confidence,
        placed.is_strict_guaranteed,
        placed.is_exported,
        placed.n_calls,
        {% for reason in left_out_reasons() %}
            placed.n_{{ reason }},
        {% endfor %}
        placed.n_calls - placed.n - placed.n_excluded as n_outside,
        failed_call_shift.included_quantile_tokens as quantile_with_failed_tokens,
        failed_call_shift.is_sensitive as is_sensitive_to_failed,
        coalesce(own_rate.n_calls, label_rate.n_calls) as n_judged,
        coalesce(own_rate.n_truncated, label_rate.n_truncated) as n_judged_truncated,
        coalesce(own_rate.budget_factor, label_rate.budget_factor) as budget_factor,
        rate_costs.cost_per_call,
        rate_costs.cost_ratio,
        cheapest_rates.max_truncation as cheapest_rate
    from placed
    left join failed_call_shift
        on
            placed.cell_level = 1
            and placed.{{ top_label() }} = failed_call_shift.top_label
            and placed.max_truncation = failed_call_shift.max_truncation
    left join online_rates as own_rate
        on
            placed.{{ top_label() }} = own_rate.top_label
            and placed.model = own_rate.model
            and placed.max_truncation = own_rate.max_truncation
    left join online_rates as label_rate
        on
            placed.{{ top_label() }} = label_rate.top_label
            and label_rate.model is null
            and placed.max_truncation = label_rate.max_truncation
    left join rate_costs
        on
            placed.cell_level = 1
            and placed.{{ top_label() }} = rate_costs.top_label
            and placed.max_truncation = rate_costs.max_truncation
    left join cheapest_rates
        on
            placed.cell_level = 1
            and placed.{{ top_label() }} = cheapest_rates.top_label
)

select * from final
