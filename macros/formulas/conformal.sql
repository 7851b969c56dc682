{#-
    Quantiles of demand from observed and censored calls: Kaplan-Meier's product limit, read at a
    conformal order statistic. docs/method.md says why, and what is guaranteed.
-#}

{#- ln(1 − events / at_risk) of the product limit; at the last call, when it is observed: to 0. -#}
{% macro ln_survival_step(events, at_risk) -%}
    case
        when {{ events }} >= {{ at_risk }} * (1 - 1e-12) then cast(-1e6 as double)
        else ln(1 - {{ events }} / {{ at_risk }})
    end
{%- endmacro %}

{#-
    The share that need more, of its logarithm; some engines refuse a power that is next to nothing.
-#}
{% macro surviving_share(ln_survival) -%}
    case when {{ ln_survival }} < -700 then cast(0 as double) else exp({{ ln_survival }}) end
{%- endmacro %}

{#-
    Aggregate: the smallest demand that at most 1 − share of the calls exceed; null if none is, or
    if the share is not above 0.
-#}
{% macro survival_quantile(demand, ln_survival, share) -%}
    min(
        case
            when {{ share }} > 0 and {{ surviving_share(ln_survival) }} <= 1 - {{ share }} + 1e-9
                then {{ demand }}
        end
    )
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

{#-
    Tokens beyond the largest bound, where the curve does not fall to the rate: the bound, times the
    share that needs more over the rate, to the power of var tail_index (Weissman 1978). One more
    call, of which nothing is known, counts as one that needs more.
-#}
{% macro beyond_bounds(largest, ln_survival, n_event, rate) -%}
    {{ largest }} * power(
        greatest(
            ({{ n_event }} * {{ surviving_share(ln_survival) }} + 1)
            / (({{ n_event }} + 1) * cast({{ rate }} as double)),
            cast(1 as double)
        ),
        cast({{ var('tail_index') }} as double)
    )
{%- endmacro %}

{#-
    What a cell contributes to the blend: the tokens between its ranks where they show the rate, and
    a tail drawn on from its largest bound where they do not.
-#}
{% macro blended_quantile(below, reached, largest, ln_survival, n_event, rate) -%}
    coalesce(
        case
            when {{ has_enough_events(n_event, rate) }}
                then {{ between_ranks(below, reached, n_event, rate) }}
        end,
        {{ beyond_bounds(largest, ln_survival, n_event, rate) }}
    )
{%- endmacro %}

{#- Boolean: there are enough observed calls, at least 1/rate − 1, for a quantile at the rate. -#}
{% macro has_enough_events(n_event, rate) -%}
    (({{ n_event }} + 1) * cast({{ rate }} as double) >= 1 - 1e-9)
{%- endmacro %}

{#- How many observed calls a quantile at the rate needs: 1/rate − 1, rounded up. -#}
{% macro events_needed(rate) -%}
    cast(ceil(1 / {{ rate }} - 1e-9) as bigint) - 1
{%- endmacro %}

{#- The share, var interval_z standard errors of it lower (-) or higher (+) with n calls. -#}
{% macro share_bound(share, n, sign) -%}
    (
        {{ share }} {{ sign }} cast({{ var('interval_z') }} as double)
        * sqrt({{ share }} * (1 - {{ share }}) / {{ n }})
    )
{%- endmacro %}

{#- The share of calls below the low or the high end of the range of an estimate. -#}
{% macro range_share(end) -%}
    cast({{ (1 - var('estimate_range')) / 2 if end == 'low' else (1 + var('estimate_range')) / 2 }} as double)
{%- endmacro %}

{#- Aggregate: to how many calls of equal weight these amount (Kish); null for none. -#}
{% macro effective_number(weight, squared_weight) -%}
    power(sum({{ weight }}), 2) / nullif(sum({{ squared_weight }}), 0)
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
