with

history as (
    select * from {{ ref('int_demand_history') }}
),

-- equal demands of a cell in one row: what follows is as large as the distinct demands
counted as (
    select
        {{ cell_label_columns() }},
        model,
        input_bin,
        demand_tokens,
        count(*) as n_calls,
        sum(case when is_observed then 1 else 0 end) as n_observed,
        sum(weight) as call_weight,
        sum(case when is_observed then weight else 0 end) as event_weight,
        sum(case when is_observed then weight * weight else 0 end) as squared_event_weight
    from history
    group by {{ cell_label_columns() }}, model, input_bin, demand_tokens
),

celled as (
    {% for level in survival_levels() %}
        select
            {{ loop.index0 }} as cell_level,
            {{ demand_cell(loop.index0) }} as cell,
            {{ demand_level_columns(loop.index0) }},
            demand_tokens,
            sum(n_calls) as n_calls,
            sum(n_observed) as n_observed,
            sum(call_weight) as call_weight,
            sum(event_weight) as event_weight,
            sum(squared_event_weight) as squared_event_weight
        from counted
        group by {{ (level + ['demand_tokens']) | join(', ') }}
        {% if not loop.last %} union all {% endif %}
    {% endfor %}
),

-- ties: the observed calls come before the censored ones, so both are at risk
at_risk as (
    select
        *,
        sum(call_weight) over (
            partition by cell_level, cell
            order by demand_tokens desc
            rows between unbounded preceding and current row
        ) as weight_at_risk
    from celled
    where cell is not null
),

final as (
    select
        cell_level,
        cell,
        {{ cell_label_columns() }},
        model,
        input_bin,
        demand_tokens,
        cast(n_calls as bigint) as n_calls,
        cast(n_observed as bigint) as n_observed,
        event_weight,
        squared_event_weight,
        weight_at_risk,
        sum({{ ln_survival_step('event_weight', 'weight_at_risk') }}) over (
            partition by cell_level, cell
            order by demand_tokens asc
            rows between unbounded preceding and current row
        ) as ln_survival
    from at_risk
)

select * from final
