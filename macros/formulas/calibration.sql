{#- Formulas of the multipliers. -#}

{#- The origin's ratio: actual / predicted, 0 where the prediction is 0. -#}
{% macro t5_ratio(actual, predicted) -%}
    coalesce({{ ratio(actual, predicted) }}, cast(0 as double))
{%- endmacro %}

{#- Aggregate: the upper median, sorted[n // 2], as the origin takes it for even n. -#}
{% macro upper_median(value) -%}
    percentile_disc(0.5) within group (order by {{ value }} desc)
{%- endmacro %}

{#- The origin's confidence, 0 to 1: 0.6 · min(1, n / 12) + 0.4 / (1 + population deviation). -#}
{% macro t5_confidence(n, deviation) -%}
    cast(0.6 as double) * least(cast(1 as double), {{ ratio(n, 12) }})
    + cast(0.4 as double) / (cast(1 as double) + {{ deviation }})
{%- endmacro %}

{#- The most that t5_confidence can reach with n rows: with no deviation at all. -#}
{% macro t5_reachable_confidence(n) -%}
    {{ t5_confidence(n, 'cast(0 as double)') }}
{%- endmacro %}

{#- Text: what follows from a multiplier whose gates have passed or not. -#}
{% macro calibration_action(multiplier, passes_gates) -%}
    case
        when not {{ passes_gates }} then 'insufficient_data'
        when {{ multiplier }} > cast({{ var('increase_above') }} as double) then 'increase'
        when {{ multiplier }} < cast({{ var('decrease_below') }} as double) then 'decrease'
        else 'none'
    end
{%- endmacro %}
