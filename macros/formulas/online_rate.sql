{#-
    The online rate: what budgets are moved by, in logarithms, so that the long-run truncation
    stays at the rate whatever the demand does (adaptive conformal inference: Gibbs and Candès
    2021; Angelopoulos, Barber and Bates 2024). It needs the truncated flag alone.
-#}

{#- The rate that answers when one is asked for: the largest not above it, else the smallest. -#}
{% macro rate_of_table(asked) -%}
    case
        {%- for rate in var('truncation_rates') | map('float') | sort(reverse=true) %}
        when {{ asked }} >= cast({{ rate }} as double) - 1e-9 then cast({{ rate }} as double)
        {%- endfor %}
        when {{ asked }} > 0 then cast({{ var('truncation_rates') | map('float') | min }} as double)
    end
{%- endmacro %}

{#-
    How far the calls of one table move the budgets: online_step for each truncation too many
    beyond what chance explains (one standard error), of at most online_calls calls. More calls are
    a surer mean, not a longer way: nothing answered them while they ran.
-#}
{% macro online_move(n_calls, n_truncated, rate) -%}
    {%- set too_many = '(' ~ n_truncated ~ ' - ' ~ rate ~ ' * ' ~ n_calls ~ ')' -%}
    {%- set chance = 'sqrt(' ~ n_calls ~ ' * ' ~ rate ~ ' * (1 - ' ~ rate ~ '))' -%}
    cast({{ var('online_step') }} as double)
    * least(cast(1 as double), {{ ratio(var('online_calls'), n_calls) }})
    * sign({{ too_many }})
    * greatest(cast(0 as double), abs({{ too_many }}) - {{ chance }})
{%- endmacro %}
