{#- Budgets of prompts of few calls, from those of about their size. -#}

{#-
    The CTE `stepped`, after those that it needs: ln_budget of the cells of a prompt's size, by
    quantile_key; `rate` gives the weight of their own calls. A size of few calls begins with the next
    one towards the size of most calls, as far as sizes tell what is needed (trend_share), and else with
    what all sizes need.
-#}
{% macro stepped_by_size(budgets, rate='max_truncation') %}
{%- set of_cell = 'partition by parent_level, parent_cell, max_truncation' -%}
{%- set from_most = of_cell ~ ' order by n_event desc nulls last, input_bin asc'
    ~ ' rows between unbounded preceding and unbounded following' -%}
{%- set outwards = of_cell ~ ', sign(input_bin - middle_bin)'
    ~ ' order by abs(input_bin - middle_bin) asc rows between unbounded preceding and current row' %}
of_size as (
    select
        quantile_key,
        parent_level,
        parent_cell,
        max_truncation,
        input_bin,
        n_event,
        ln(blended_tokens) as ln_own,
        -- below 1, so that a way of many steps can be gone back
        case
            when blended_tokens is null then cast(0 as double)
            else least({{ own_data_weight('n_event', rate) }}, 0.999e0)
        end as weight,
        ln_budget,
        first_value(input_bin) over ({{ from_most }}) as middle_bin,
        first_value(ln_budget) over ({{ from_most }}) as ln_middle
    from {{ budgets }}
    where input_bin is not null
),

slopes as (
    select
        parent_level,
        parent_cell,
        max_truncation,
        count(*) as n_sizes,
        {{ weighted_product('input_bin', 'input_bin', 'n_event') }} as of_sizes,
        {{ weighted_product('input_bin', 'ln_own', 'n_event') }} as of_both,
        {{ weighted_product('ln_own', 'ln_own', 'n_event') }} as of_needs
    from of_size
    where ln_own is not null
    group by parent_level, parent_cell, max_truncation
),

-- how much is left, after each step, of where the steps began
outward as (
    select
        *,
        exp(sum(ln(1 - weight)) over ({{ outwards }})) as kept
    from of_size
    where input_bin <> middle_bin
),

steps as (
    select
        *,
        kept * (ln_middle + sum(weight * coalesce(ln_own, 0) / kept) over ({{ outwards }}))
            as ln_step
    from outward
),

stepped as (
    select
        steps.quantile_key,
        steps.ln_budget
        + {{ trend_share('n_sizes', 'of_sizes', 'of_both', 'of_needs') }}
        * (steps.ln_step - steps.ln_budget) as ln_budget
    from steps
    inner join slopes
        on
            steps.parent_level = slopes.parent_level
            and steps.parent_cell = slopes.parent_cell
            and steps.max_truncation = slopes.max_truncation
)
{% endmacro %}

{#- Aggregate: the sum of products of two columns' distances from their means, of weighted rows. -#}
{% macro weighted_product(left, right, weight) -%}
    sum({{ weight }} * {{ left }} * {{ right }})
    - sum({{ weight }} * {{ left }}) * sum({{ weight }} * {{ right }})
    / nullif(sum({{ weight }}), 0)
{%- endmacro %}

{#-
    How far sizes tell what is needed, 0 to 1: 1 - 4/t^2, so nothing within two standard errors,
    where t is that of the slope through n points, t^2 = r^2 (n - 2) / (1 - r^2). The products are of
    the sizes, of both and of the needs, so that r^2 = both^2 / (sizes * needs).
-#}
{% macro trend_share(n, sizes, both, needs) -%}
    coalesce(
        case
            when {{ n }} > 2 and {{ sizes }} > 1e-9 and {{ needs }} > 1e-9
                then greatest(
                    1 - 4 * ({{ sizes }} * {{ needs }} / nullif({{ both }} * {{ both }}, 0) - 1)
                    / ({{ n }} - 2),
                    cast(0 as double)
                )
        end,
        cast(0 as double)
    )
{%- endmacro %}
