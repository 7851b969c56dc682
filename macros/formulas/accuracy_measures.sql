{#-
    The measures of a group of calls of marts.calls, each once: accuracy_cell() stands in the query that
    groups calls, accuracy_counts() in one that puts its cells together, and accuracy_rates() in one
    that reads its result. The replayed measures are of the calls that have a replay.
-#}

{#-
    Counts and sums of a cell, the finest group that a model looks at, over rows that each stand for
    n equal calls.
-#}
{% macro accuracy_cell() -%}
    min(first_seen) as first_seen,
    max(last_seen) as last_seen,
    sum(n) as n,
    {{ counted_if('is_success is not null') }} as n_outcome,
    {{ counted_if('is_success') }} as n_success,
    {{ counted_if('is_clean') }} as n_clean,
    {{ counted_if(is_failure_mode()) }} as n_failure_mode,
    {{ counted_if('underestimated is not null') }} as n_decided,
    {{ counted_if('underestimated') }} as n_underestimated,
    {{ counted_if('is_truncated is not null') }} as n_stop_known,
    {{ counted_if('is_truncated') }} as n_truncated,
    {{ counted_if('is_truncated and underestimated') }} as n_truncated_underestimated,
    {{ counted_if('smape is not null') }} as n_scored,
    {{ counted_if('replayed_output_tokens is not null') }} as n_replayed,
    {{ counted_if('replayed_underestimated is not null') }} as n_replayed_decided,
    {{ counted_if('replayed_underestimated') }} as n_replayed_underestimated,
    sum(assumed_new_count) as assumed_new_count,
    {%- for name, measure, condition in accuracy_means() %}
    {{ counted_if(measure ~ ' is not null and ' ~ condition) }} as n_{{ name }},
    sum(case when {{ condition }} then n * cast({{ measure }} as double) end) as sum_{{ name }},
    {%- endfor %}
    sum(case when ceiling_tokens is not null then n * cast(actual_output_tokens as double) end)
        as tokens_used,
    sum(n * cast(ceiling_tokens as double)) as tokens_reserved
{%- endmacro %}

{#- The means of a group: their names, of which measure, and of which calls. -#}
{% macro accuracy_means() %}
    {{ return([
        ('mean_smape', 'smape', 'true'),
        ('mean_estimate_ratio', 'estimate_ratio', 'true'),
        ('replayed_mean_smape', 'replayed_smape', 'true'),
        ('mean_predicted', 'predicted_output_tokens', 'true'),
        ('mean_actual', 'actual_output_tokens', 'not is_truncated'),
        ('truncated_mean_predicted', 'predicted_output_tokens', 'is_truncated'),
        ('truncated_mean_bound', 'actual_output_tokens', 'is_truncated'),
    ]) }}
{% endmacro %}

{#- Aggregate over rows that each stand for n equal calls: how many the condition holds for. -#}
{% macro counted_if(condition) -%}
    sum(case when {{ condition }} then n else 0 end)
{%- endmacro %}

{#- The counts of a group. -#}
{% macro accuracy_count_names() %}
    {{ return([
        'n', 'n_outcome', 'n_success', 'n_clean', 'n_failure_mode', 'n_decided',
        'n_underestimated', 'n_stop_known', 'n_truncated', 'n_truncated_underestimated', 'n_scored',
        'n_replayed', 'n_replayed_decided', 'n_replayed_underestimated', 'assumed_new_count',
    ]) }}
{% endmacro %}

{#- Counts, means and sums of a stratum, from its cells. -#}
{% macro accuracy_counts() -%}
    min(first_seen) as first_seen,
    max(last_seen) as last_seen,
    {%- for count in accuracy_count_names() %}
    cast(sum({{ count }}) as bigint) as {{ count }},
    {%- endfor %}
    {%- for name, _, _ in accuracy_means() %}
    {{ ratio('sum(sum_' ~ name ~ ')', 'sum(n_' ~ name ~ ')') }} as {{ name }},
    {%- endfor %}
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
    {{ ratio('n_replayed_underestimated', 'n_replayed_decided') }} as replayed_underestimation_rate,
    {{ ratio('tokens_reserved', 'tokens_used') }} as reserved_ratio
{%- endmacro %}

{#- The quantiles of a group: {column: (measure, probability)}. -#}
{% macro accuracy_quantiles() %}
    {{ return({
        'median_smape': ('smape', 0.5),
        'p90_smape': ('smape', 0.9),
        'p50_estimate_ratio': ('estimate_ratio', 0.5),
        'p75_estimate_ratio': ('estimate_ratio', 0.75),
        'p90_estimate_ratio': ('estimate_ratio', 0.9),
        'p50_ceiling_ratio': ('ceiling_ratio', 0.5),
        'p75_ceiling_ratio': ('ceiling_ratio', 0.75),
        'p90_ceiling_ratio': ('ceiling_ratio', 0.9),
        'median_abs_log_error': ('abs_log_error', 0.5),
        'replayed_median_smape': ('replayed_smape', 0.5),
        'replayed_p50_estimate_ratio': ('replayed_estimate_ratio', 0.5),
    }) }}
{% endmacro %}

{#- The columns of a stratum that accuracy_counts() and accuracy_quantiles() give. -#}
{% macro accuracy_columns() %}
    {{ return(
        ['first_seen', 'last_seen'] + accuracy_count_names() + accuracy_means() | map('first') | list
        + ['tokens_used', 'tokens_reserved'] + accuracy_quantiles().keys() | list
    ) }}
{% endmacro %}
