{#-
    Quantiles of demand from observed and censored calls: Kaplan-Meier's product limit, read at a
    conformal order statistic. docs/method.md says why, and what is guaranteed.
-#}

{#- The levels of the blend, from wide to narrow: the columns that make a cell of each. -#}
{% macro demand_levels() %}
    {{ return([
        [],
        ['category'],
        ['category', 'complexity'],
        ['category', 'complexity', 'model'],
        ['category', 'complexity', 'model', 'input_bin'],
    ]) }}
{% endmacro %}

{#-
    Text: the cell of a row at a level; null where the column that the level adds is null.
-#}
{% macro demand_cell(level) -%}
    {%- set columns = demand_levels()[level] -%}
    {%- if not columns -%}
        ''
    {%- else -%}
        case
            when category is not null and {{ columns[-1] }} is not null
                then {{ key_of(columns) }}
        end
    {%- endif -%}
{%- endmacro %}

{#- The columns of a cell: those of its level, and null for the others. -#}
{% macro demand_level_columns(level) -%}
    {%- for column in demand_levels()[-1] -%}
    {%- set type = 'bigint' if column == 'input_bin' else 'string' -%}
    {{ column if column in demand_levels()[level] else 'cast(null as ' ~ type ~ ')' }} as {{ column }}
    {%- if not loop.last %}, {% endif %}
    {%- endfor -%}
{%- endmacro %}

{#- Columns cell_0, cell_1 ...: the cells that a row lies in, from wide to narrow. -#}
{% macro ancestor_cells() -%}
    {%- for level in demand_levels() %}
    case when cell_level >= {{ loop.index0 }} then {{ demand_cell(loop.index0) }} end
        as cell_{{ loop.index0 }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Joins level_0, level_1 ...: the rows of `relation` for those cells, at the same rate. -#}
{% macro ancestor_joins(relation, located) -%}
    {%- for level in demand_levels() %}
    left join {{ relation }} as level_{{ loop.index0 }}
        on
            level_{{ loop.index0 }}.cell_level = {{ loop.index0 }}
            and {{ located }}.cell_{{ loop.index0 }} = level_{{ loop.index0 }}.cell
            and {{ located }}.max_truncation = level_{{ loop.index0 }}.max_truncation
    {%- endfor %}
{%- endmacro %}

{#- A column of the narrowest level with enough observed calls for the rate, else of all calls. -#}
{% macro of_level_used(column) -%}
    case
        {%- for level in range(demand_levels() | length - 1, 0, -1) %}
        when level_{{ level }}.has_enough_events then level_{{ level }}.{{ column }}
        {%- endfor %}
        else level_0.{{ column }}
    end
{%- endmacro %}

{#- Boolean: identified at the level used, and no observed call below it is beyond the bounds. -#}
{% macro is_identified_in_chain() -%}
    case
        {%- for level in range(demand_levels() | length - 1, 0, -1) %}
        when level_{{ level }}.n_observed > 0 and level_{{ level }}.is_beyond_bounds then false
        when level_{{ level }}.has_enough_events then true
        {%- endfor %}
        else not level_0.is_beyond_bounds
    end
{%- endmacro %}

{#-
    Columns ln_budget_0, ln_budget_1 ...: from the root down, each level moves the logarithm of the
    budget towards its own quantile, by the weight of its own data.
-#}
{% macro blended_levels(rate) -%}
    ln(level_0.blended_tokens) as ln_budget_0
    {%- for level in range(1, demand_levels() | length) %},
    {{ log_blend(
        'ln_budget_' ~ (level - 1),
        'level_' ~ level ~ '.blended_tokens',
        own_data_weight('level_' ~ level ~ '.n_event', rate),
    ) }} as ln_budget_{{ level }}
    {%- endfor %}
{%- endmacro %}

{#- Columns parent_level and parent_cell: the narrowest cell that a row lies in and is not. -#}
{% macro parent_columns() -%}
    {%- set inner_levels = range(demand_levels() | length - 2, 0, -1) -%}
    case
        {%- for level in inner_levels %}
        when cell_level > {{ level }} and cell_{{ level }} is not null then {{ level }}
        {%- endfor %}
        else 0
    end as parent_level,
    coalesce(
        {%- for level in inner_levels %}
        case when cell_level > {{ level }} then cell_{{ level }} end,
        {%- endfor %}
        cell_0
    ) as parent_cell
{%- endmacro %}

{#-
    Which share of the demand a budget has to cover, 0 to 1: k / n with k = ceil((n + 1)·(1 − rate)),
    the order statistic of split conformal prediction; 1 when n is too small for the rate.
-#}
{% macro conformal_share(n_event, rate) -%}
    least(
        cast(1 as double),
        ceil(({{ n_event }} + 1) * (1 - cast({{ rate }} as double)) - 1e-9)
        / nullif(cast({{ n_event }} as double), 0)
    )
{%- endmacro %}

{#- The same with the rank below, k = floor((n + 1)·(1 − rate)). -#}
{% macro conformal_share_below(n_event, rate) -%}
    least(
        cast(1 as double),
        floor(({{ n_event }} + 1) * (1 - cast({{ rate }} as double)) + 1e-9)
        / nullif(cast({{ n_event }} as double), 0)
    )
{%- endmacro %}

{#-
    Tokens at the rank (n + 1)·(1 − rate) itself, between the two whole ranks beside it, in
    logarithms: rounding the rank up costs half a call of room in each cell, which adds up in the
    blend of many small ones. The upper one where there is no lower.
-#}
{% macro between_ranks(lower, upper, n_event, rate) -%}
    {%- set rank = '(' ~ n_event ~ ' + 1) * (1 - cast(' ~ rate ~ ' as double))' -%}
    {{ upper }} * power(
        coalesce({{ lower }}, {{ upper }}) / cast({{ upper }} as double),
        ceil({{ rank }} - 1e-9) - {{ rank }}
    )
{%- endmacro %}

{#- Boolean: there are enough observed calls, at least 1/rate − 1, for a quantile at the rate. -#}
{% macro has_enough_events(n_event, rate) -%}
    (({{ n_event }} + 1) * cast({{ rate }} as double) >= 1 - 1e-9)
{%- endmacro %}

{#- ln(1 − events / at_risk) of the product limit; at the last call, when it is observed: to 0. -#}
{% macro ln_survival_step(events, at_risk) -%}
    case
        when {{ events }} >= {{ at_risk }} * (1 - 1e-12) then cast(-1e6 as double)
        else ln(1 - {{ events }} / {{ at_risk }})
    end
{%- endmacro %}

{#-
    Aggregate: the smallest demand that at most 1 − share of the calls exceed; null if none is, or
    if the share is not above 0.
-#}
{% macro survival_quantile(demand, ln_survival, share) -%}
    min(
        case
            when {{ share }} > 0 and exp({{ ln_survival }}) <= 1 - {{ share }} + 1e-9
                then {{ demand }}
        end
    )
{%- endmacro %}

{#- The share, var interval_z standard errors of it lower (-) or higher (+) with n calls. -#}
{% macro share_bound(share, n, sign) -%}
    (
        {{ share }} {{ sign }} cast({{ var('interval_z') }} as double)
        * sqrt({{ share }} * (1 - {{ share }}) / {{ n }})
    )
{%- endmacro %}

{#- Aggregate: to how many calls of equal weight these amount (Kish); null for none. -#}
{% macro effective_number(weight, squared_weight) -%}
    power(sum({{ weight }}), 2) / nullif(sum({{ squared_weight }}), 0)
{%- endmacro %}

{#- The share of calls below the low or the high end of the range of an estimate. -#}
{% macro range_share(end) -%}
    cast({{ (1 - var('estimate_range')) / 2 if end == 'low' else (1 + var('estimate_range')) / 2 }} as double)
{%- endmacro %}

{#- One step of median_shrunk in logarithms: the parent counts for shrinkage_calls calls. -#}
{% macro shrunk(parent, own, n_event) -%}
    {{ log_blend(parent, own, n_event ~ ' / (' ~ n_event ~ ' + ' ~ var('shrinkage_calls') ~ ')') }}
{%- endmacro %}

{#- Weight of a cell's own data in its budget, 0 to 1: n / (n + 1/rate), Bühlmann's credibility. -#}
{% macro own_data_weight(n_event, rate) -%}
    coalesce({{ n_event }} / ({{ n_event }} + 1 / cast({{ rate }} as double)), cast(0 as double))
{%- endmacro %}

{#- One step of the blend in logarithms: the parent moved towards the cell's own value. -#}
{% macro log_blend(parent, own, weight) -%}
    coalesce({{ parent }} + {{ weight }} * (ln({{ own }}) - {{ parent }}), {{ parent }})
{%- endmacro %}

{#- Tokens: a budget rounded up to a multiple of budget_step, at least budget_minimum. -#}
{% macro rounded_budget(tokens) -%}
    greatest(
        cast({{ var('budget_minimum') }} as bigint),
        cast(
            ceil({{ tokens }} / {{ var('budget_step') }} - 1e-9) * {{ var('budget_step') }}
            as bigint
        )
    )
{%- endmacro %}

{#-
    Confidence of the strict budget, 0 to 1: 1 − 1 / ((n + 1)·rate), how close the rate that it
    keeps is bound to come to the rate that was asked for.
-#}
{% macro strict_confidence(n_event, rate) -%}
    greatest(
        cast(0 as double),
        coalesce(
            1 - 1 / (({{ n_event }} + 1) * cast({{ rate }} as double)), cast(0 as double)
        )
    )
{%- endmacro %}

{#- Query: the rates, one a row. -#}
{% macro rate_rows(rates) -%}
    {%- for rate in rates %}
    select cast({{ rate }} as double) as rate
    {%- if not loop.last %} union all{% endif %}
    {%- endfor %}
{%- endmacro %}

{#-
    Logarithm of `own_column` of the cell, shrunk towards `column` of its category, itself shrunk
    towards that of all calls. Null where the own column is, when it is another one.
-#}
{% macro shrunk_cascade(column, own_column=none) -%}
    {%- set of_category = shrunk(
        'ln(of_all.' ~ column ~ ')', 'of_category.' ~ column, 'of_category.n_event'
    ) -%}
    {%- if own_column -%}
        case
            when own.{{ own_column }} is not null
                then {{ shrunk(of_category, 'own.' ~ own_column, 'own.n_event') }}
        end
    {%- else -%}
        {{ shrunk(of_category, 'own.' ~ column, 'own.n_event') }}
    {%- endif -%}
{%- endmacro %}
