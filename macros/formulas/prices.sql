{#- US dollars of so many tokens at a price for a million; null where the price is unknown. -#}
{% macro money(tokens, price) -%}
    {{ tokens }} * {{ price }} / cast(1e6 as double)
{%- endmacro %}
