{#-
    The rate that budgets of a category are made for after a batch of calls, from the one before:
    lower after too many truncations, higher after too few, within [target/8, 3·target]. Keeps
    the long-run truncation at the target whatever the demand does (adaptive conformal inference,
    Gibbs and Candès 2021, in batches).
-#}
{% macro adapted_rate(rate, n_calls, n_truncated) -%}
    {%- set target = 'cast(' ~ var('target_truncation') ~ ' as double)' -%}
    greatest(
        {{ target }} / 8,
        least(
            3 * {{ target }},
            {{ rate }}
            + cast({{ var('adaptive_gain') }} as double)
            * ({{ target }} * {{ n_calls }} - {{ n_truncated }})
        )
    )
{%- endmacro %}
