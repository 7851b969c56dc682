{#- numerator / denominator; null when the denominator is 0. -#}
{% macro ratio(numerator, denominator) -%}
    cast({{ numerator }} as double) / nullif(cast({{ denominator }} as double), 0)
{%- endmacro %}

{#- The value within what the runtime accepts; null stays null. -#}
{% macro within_bounds(value, low, high) -%}
    case
        when {{ value }} is not null
            then greatest(cast({{ low }} as double), least(cast({{ high }} as double), {{ value }}))
    end
{%- endmacro %}

{#- Tokens, in whole ones: floor(tokens · factor). -#}
{% macro whole_tokens(tokens, factor) -%}
    cast(floor(cast({{ tokens }} as double) * {{ factor }}) as bigint)
{%- endmacro %}

{#- Text: a rate as per cent with one decimal. -#}
{% macro percent_text(rate) -%}
    cast(cast(100 * ({{ rate }}) as decimal(9, 1)) as string) || ' %'
{%- endmacro %}

{#- 2^53 - 1: larger whole numbers do not survive JSON readers. -#}
{% macro max_whole_number() -%}
    9007199254740991
{%- endmacro %}
