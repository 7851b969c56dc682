{#-
    The measures of a group of events of marts.estimates, each once: accuracy_cell() stands in the
    query that groups events, accuracy_counts() in one that puts its cells together, and
    accuracy_rates() in one that reads its result.
-#}

{#- Boolean: the event counts in an analysis. Test rows and copies of one call do not. -#}
{% macro is_analysed(relation=none) -%}
    {%- set of = relation ~ '.' if relation else '' -%}
    (not {{ of }}is_synthetic and not {{ of }}is_repeated)
{%- endmacro %}

{#-
    Boolean: a call that failed, ended by itself and gave next to nothing. It says nothing about
    demand, and nothing is tuned on it.
-#}
{% macro is_failure_mode() -%}
    (
        coalesce(not is_success, false) and coalesce(not is_truncated, false)
        and actual_output_tokens < {{ var('failure_mode_max_tokens') }}
    )
{%- endmacro %}

{#- Boolean: the call succeeded and was not cut off, so that its output is what it needed. -#}
{% macro is_finished() -%}
    (not is_truncated and is_success)
{%- endmacro %}

{#- Text: success, failure or unknown, by is_success. -#}
{% macro outcome() -%}
    case
        when is_success then 'success'
        when not is_success then 'failure'
        else 'unknown'
    end
{%- endmacro %}

{#-
    The smape that is certain: of a truncated call the bound, where its output already exceeds
    the prediction (more output only adds to the error); null otherwise.
-#}
{% macro certain_smape() -%}
    case
        when not is_truncated or actual_output_tokens > predicted_output_tokens
            then {{ smape('predicted_output_tokens', 'actual_output_tokens') }}
    end
{%- endmacro %}

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

{#- Aggregate over such rows: how many events the condition holds for. -#}
{% macro counted_if(condition) -%}
    sum(case when {{ condition }} then n else 0 end)
{%- endmacro %}

{#- The same of a stratum, from its cells. -#}
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

{#- Aggregate, timestamp: the end of what an analysis looks at, the newest event or var as_of. -#}
{% macro as_of(occurred_at) -%}
    {%- if var('as_of') -%}
        max(cast('{{ var("as_of") }}' as timestamp))
    {%- else -%}
        max({{ occurred_at }})
    {%- endif -%}
{%- endmacro %}

{#- Boolean: not after var as_of; always true without it. -#}
{% macro is_until_as_of(occurred_at) -%}
    {%- if var('as_of') -%}
        {{ occurred_at }} <= cast('{{ var("as_of") }}' as timestamp)
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{#- Text: a rate as per cent with one decimal. -#}
{% macro percent_text(rate) -%}
    cast(cast(100 * ({{ rate }}) as decimal(9, 1)) as string) || ' %'
{%- endmacro %}

{#- Timestamp: alerts and the scope `recent` look at events after it. -#}
{% macro recent_from(as_of) -%}
    {{ dbt.dateadd('day', -1 * var('recent_days'), as_of) }}
{%- endmacro %}
