{#-
    What a call costs besides the output that it needs, in prices of one output token: what its
    budget reserves, and for the share that is cut off the lost attempt (its budget and its input)
    and the reservation of the retry.
-#}
{% macro call_cost(budget, truncated_share, input_tokens) -%}
    {%- set reserved = 'cast(' ~ var('reserved_token_price') ~ ' as double)' -%}
    (
        {{ reserved }} * {{ budget }}
        + {{ truncated_share }} * (
            {{ budget }}
            + {{ input_tokens }} * cast({{ var('input_token_price') }} as double)
            + {{ reserved }} * {{ var('retry_reservation') }} * {{ budget }}
        )
    )
{%- endmacro %}

{#-
    Pinball loss of a budget at 1 − rate, in tokens: a missing token costs 1 − rate, a spare one the
    rate. The proper score for a quantile.
-#}
{% macro pinball(demand, budget, rate) -%}
    case
        when {{ demand }} > {{ budget }} then (1 - {{ rate }}) * ({{ demand }} - {{ budget }})
        else {{ rate }} * ({{ budget }} - {{ demand }})
    end
{%- endmacro %}
