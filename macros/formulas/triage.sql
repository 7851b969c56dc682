{#-
    How many times the prediction a truncated call needed at least: actual / max(predicted, 1).
    Null without a prediction.
-#}
{% macro bound_factor(actual, predicted) -%}
    {{ ratio(actual, 'case when ' ~ predicted ~ ' < 1 then 1 else ' ~ predicted ~ ' end') }}
{%- endmacro %}

{#-
    Text: whether segments of truncated calls ask for a higher estimate. One phase decides
    nothing, however often it was run again.
-#}
{% macro triage_verdict(n_phases, median_factor) -%}
    case
        when {{ n_phases }} < {{ var('min_truncated_phases') }} then 'too few phases'
        when {{ median_factor }} is null then 'no predictions'
        when {{ median_factor }} > 1 then 'raise the estimate'
        else 'raise the ceiling'
    end
{%- endmacro %}
