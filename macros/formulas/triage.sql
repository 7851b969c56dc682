{#-
    How many times the prediction a truncated call needed at least: actual / max(predicted, 1).
    Null without a prediction.
-#}
{% macro bound_factor(actual, predicted) -%}
    {{ ratio(actual, 'case when ' ~ predicted ~ ' < 1 then 1 else ' ~ predicted ~ ' end') }}
{%- endmacro %}
