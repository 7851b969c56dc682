{#- What follows from the measures: the tiers and the verdict, each once. -#}

{#-
    Tier 1, safety: pass, fail or unknown. Of successes alone truncation decides nothing: a call
    that was cut off seldom succeeds, so leaving the failures out hides it.
-#}
{% macro tier_1() -%}
    case
        when underestimation_rate > cast({{ var('target_underestimation') }} as double) then 'fail'
        when scope <> 'success' and truncation_rate > cast({{ var('target_truncation') }} as double)
            then 'fail'
        when underestimation_rate is null or truncation_rate is null then 'unknown'
        else 'pass'
    end
{%- endmacro %}

{#- Boolean: the failure of tier 1 is more than chance, the interval is beyond the target too. -#}
{% macro is_tier_1_certain() -%}
    (
        coalesce(
            underestimation_lower > cast({{ var('target_underestimation') }} as double), false
        )
        or (
            scope <> 'success'
            and coalesce(truncation_lower > cast({{ var('target_truncation') }} as double), false)
        )
    )
{%- endmacro %}

{#- Tier 2, cost: pass, fail or unknown. -#}
{% macro tier_2() -%}
    case
        when p90_estimate_ratio >= cast({{ var('target_p90_estimate_ratio') }} as double) then 'fail'
        when p90_ceiling_ratio >= cast({{ var('target_p90_ceiling_ratio') }} as double) then 'fail'
        when p90_estimate_ratio is null or p90_ceiling_ratio is null then 'unknown'
        else 'pass'
    end
{%- endmacro %}

{#-
    Text: how a rate moved: worse or better where the intervals do not overlap, else no clear
    change; unknown where there is nothing to compare with. Rates are of harm: lower is better.
-#}
{% macro rate_change(lower, upper, lower_before, upper_before) -%}
    case
        when {{ lower }} is null or {{ lower_before }} is null then 'unknown'
        when {{ lower }} > {{ upper_before }} then 'worse'
        when {{ upper }} < {{ lower_before }} then 'better'
        else 'no clear change'
    end
{%- endmacro %}

{#- Text: truncation weighs most; a gain in one rate does not buy a loss in the other. -#}
{% macro overall_change(truncation_change, underestimation_change) -%}
    case
        when 'worse' in ({{ truncation_change }}, {{ underestimation_change }}) then 'worse'
        when 'better' in ({{ truncation_change }}, {{ underestimation_change }}) then 'better'
        when 'no clear change' in ({{ truncation_change }}, {{ underestimation_change }})
            then 'no clear change'
        else 'unknown'
    end
{%- endmacro %}

{#- Boolean: a value meets the criterion of a row of seed scorecard_criteria, named criteria. -#}
{% macro criterion_is_met(value) -%}
    case criteria.comparison
        when 'at_least' then {{ value }} >= criteria.target_low
        when 'at_most' then {{ value }} <= criteria.target_high
        when 'below' then {{ value }} < criteria.target_high
        when 'between' then {{ value }} between criteria.target_low and criteria.target_high
    end
{%- endmacro %}
