{#- The rates that budgets are made for, and the tokens that they are rounded to. -#}

{#- Query: the rates, one a row. -#}
{% macro rate_rows(rates) -%}
    {%- for rate in rates %}
    select cast({{ rate }} as double) as rate
    {%- if not loop.last %} union all{% endif %}
    {%- endfor %}
{%- endmacro %}

{#-
    Tokens: a budget rounded up to a multiple of budget_step, at least budget_minimum, and no more
    than a whole number of the record.
-#}
{% macro rounded_budget(tokens) -%}
    case
        when {{ tokens }} > {{ max_whole_number() }} then {{ max_whole_number() }}
        else
            greatest(
                cast({{ var('budget_minimum') }} as bigint),
                cast(
                    ceil({{ tokens }} / {{ var('budget_step') }} - 1e-9) * {{ var('budget_step') }}
                    as bigint
                )
            )
    end
{%- endmacro %}
