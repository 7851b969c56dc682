{#-
    The measures of a group of events of marts.calls, each once: accuracy_cell() stands in the
    query that groups events, accuracy_counts() in one that puts its cells together, and
    accuracy_rates() in one that reads its result.
-#}

{#-
    Counts and sums of a cell, the finest group that a model looks at, over rows that each stand for
    n equal events.
-#}
{% macro accuracy_cell() -%}
    sum(n) as n,
    {{ counted_if('is_success is not null') }} as n_outcome,
    {{ counted_if('is_success') }} as n_success,
    {{ counted_if('is_clean') }} as n_clean,
    {{ counted_if(is_failure_mode()) }} as n_failure_mode,
    {{ counted_if('underestimated is not null') }} as n_decided,
    {{ counted_if('underestimated') }} as n_underestimated,
    {{ counted_if('is_truncated is not null') }} as n_stop_known,
    {{ counted_if('is_truncated') }} as n_truncated,
    {{ counted_if('smape is not null') }} as n_scored,
    sum(n * smape) as sum_smape,
    {{ counted_if('estimate_ratio is not null') }} as n_estimate_ratio,
    sum(n * estimate_ratio) as sum_estimate_ratio,
    sum(case when ceiling_tokens is not null then n * cast(actual_output_tokens as double) end)
        as tokens_used,
    sum(n * cast(ceiling_tokens as double)) as tokens_reserved
{%- endmacro %}

{#- Aggregate over rows that each stand for n equal events: how many the condition holds for. -#}
{% macro counted_if(condition) -%}
    sum(case when {{ condition }} then n else 0 end)
{%- endmacro %}

{#- Counts and sums of a stratum, from its cells. -#}
{% macro accuracy_counts() -%}
    {%- for count in [
        'n', 'n_outcome', 'n_success', 'n_clean', 'n_failure_mode', 'n_decided',
        'n_underestimated', 'n_stop_known', 'n_truncated', 'n_scored',
    ] %}
    cast(sum({{ count }}) as bigint) as {{ count }},
    {%- endfor %}
    {{ ratio('sum(sum_smape)', 'sum(n_scored)') }} as mean_smape,
    {{ ratio('sum(sum_estimate_ratio)', 'sum(n_estimate_ratio)') }} as mean_estimate_ratio,
    sum(tokens_used) as tokens_used,
    sum(tokens_reserved) as tokens_reserved
{%- endmacro %}

{#- Columns: the rates of a stratum with their intervals, from what accuracy_counts() gave. -#}
{% macro accuracy_rates() -%}
    {{ ratio('n_success', 'n_outcome') }} as success_rate,
    {{ wilson_lower('n_success', 'n_outcome') }} as success_lower,
    {{ wilson_upper('n_success', 'n_outcome') }} as success_upper,
    {{ ratio('n_underestimated', 'n_decided') }} as underestimation_rate,
    {{ wilson_lower('n_underestimated', 'n_decided') }} as underestimation_lower,
    {{ wilson_upper('n_underestimated', 'n_decided') }} as underestimation_upper,
    {{ ratio('n_truncated', 'n_stop_known') }} as truncation_rate,
    {{ wilson_lower('n_truncated', 'n_stop_known') }} as truncation_lower,
    {{ wilson_upper('n_truncated', 'n_stop_known') }} as truncation_upper,
    {{ ratio('tokens_reserved', 'tokens_used') }} as reserved_ratio
{%- endmacro %}

{#- The quantiles of a group: {column: (measure, probability)}. -#}
{% macro accuracy_quantiles() %}
    {{ return({
        'median_smape': ('smape', 0.5),
        'p90_smape': ('smape', 0.9),
        'p50_estimate_ratio': ('estimate_ratio', 0.5),
        'p90_estimate_ratio': ('estimate_ratio', 0.9),
        'p50_ceiling_ratio': ('ceiling_ratio', 0.5),
        'p90_ceiling_ratio': ('ceiling_ratio', 0.9),
    }) }}
{% endmacro %}
