{#- What a call says about demand: the output tokens that it needed, or at least needed. -#}

{#- Why an event by itself says nothing at all about demand; null when it does. -#}
{% macro unusable_reason() -%}
    case
        when {{ is_synthetic('run_id', 'recorded_quality_flags') }}
            then 'synthetic'
        when is_repeated then 'repeated'
        when reasoning_tokens > actual_output_tokens and actual_output_tokens > 0
            then 'reasoning_above_output'
        when actual_output_tokens <= 0 and not {{ is_cut_off_at_ceiling() }} then 'missing'
        when {{ is_counted_in_part() }} then 'partial_usage'
    end
{%- endmacro %}

{#- Every reason for which a call is left out of demand: all above, starved, failed, filtered. -#}
{% macro left_out_reasons() %}
    {{ return([
        'synthetic', 'repeated', 'missing', 'partial_usage', 'reasoning_above_output', 'starved',
        'failed', 'filtered',
    ]) }}
{% endmacro %}

{#- Boolean: its record says itself that its output tokens are a part of what was billed. -#}
{% macro is_counted_in_part(relation='') -%}
    coalesce(
        {{ list_has_any(relation ~ 'recorded_quality_flags', var('partial_usage_flags')) }}, false
    )
{%- endmacro %}

{#- Boolean: a call that an application made once: no test's, and no copy of another. -#}
{% macro is_real_call(excluded_reason) -%}
    coalesce({{ excluded_reason }}, '') not in ('synthetic', 'repeated')
{%- endmacro %}

{#- Tokens: the ceiling that was sent, or that is declared for the source and the model. -#}
{% macro known_ceiling(relation='') -%}
    coalesce({{ relation }}actual_max_tokens, {{ relation }}assumed_max_tokens)
{%- endmacro %}

{#-
    Boolean: cut off, and not by its ceiling. The context window was full, which few servers have a stop
    word for: else the output is less than the share window_share of the ceiling.
-#}
{% macro is_cut_off_elsewhere() -%}
    coalesce(
        is_truncated
        and (
            stop_class = 'context_window'
            or (
                actual_output_tokens > 0
                and actual_output_tokens
                < {{ known_ceiling() }} * cast({{ var('window_share') }} as double)
            )
        ),
        false
    )
{%- endmacro %}

{#-
    Boolean: cut off by a ceiling that is known, so that it needed at least that, whatever was
    counted.
-#}
{% macro is_cut_off_at_ceiling() -%}
    coalesce(is_truncated and actual_max_tokens > 0 and not {{ is_cut_off_elsewhere() }}, false)
{%- endmacro %}

{#- Boolean: cut off, and nearly all of its output was reasoning. -#}
{% macro is_starved() -%}
    coalesce(
        is_truncated and actual_output_tokens > 0
        and reasoning_tokens >= actual_output_tokens * cast({{ var('starved_share') }} as double),
        false
    )
{%- endmacro %}

{#-
    Text: what one attempt says. censored: cut off, or it is not known whether it was (an unknown stop
    word is never taken for a clean stop). failed: an error message is no demand. observed: the rest.
-#}
{% macro attempt_outcome() -%}
    case
        when is_truncated is null or is_truncated or stop_class = 'unknown' then 'censored'
        when stop_class = 'filtered' then 'filtered'
        when not {{ counts_as_success() }} then 'failed'
        else 'observed'
    end
{%- endmacro %}

{#-
    Tokens that an attempt which was cut off needed at least: its ceiling. Where the ceiling is
    unknown, or did not cut it (something else did, or nobody knows what), its output.
-#}
{% macro censoring_bound() -%}
    case
        when is_truncated and not {{ is_cut_off_elsewhere() }}
            then greatest(actual_output_tokens, coalesce({{ known_ceiling() }}, actual_output_tokens))
        else actual_output_tokens
    end
{%- endmacro %}

{#- Class of a size of at least 1, so many classes to each doubling: floor(k·log2(size)). -#}
{% macro size_class(size, per_doubling) -%}
    cast(floor({{ per_doubling }} * {{ log2_of(size) }}) as bigint)
{%- endmacro %}

{#- The smallest size of a class, the other way round: 2 to the power class / k. -#}
{% macro least_of_class(size_class, per_doubling) -%}
    power(cast(2 as double), {{ size_class }} / cast({{ per_doubling }} as double))
{%- endmacro %}

{#-
    Text: class of what the estimator makes of the deliverables, two to each doubling:
    floor(2·log2(tokens)). Null without deliverables.
-#}
{% macro estimate_bin(base_estimate) -%}
    case
        when {{ base_estimate }} >= 1
            then cast({{ size_class(base_estimate, 2) }} as string)
    end
{%- endmacro %}

{#- Class of a prompt's size, four to each doubling: floor(4·log2(tokens)). Null below 1 token. -#}
{% macro input_bin(input_tokens) -%}
    case
        when {{ input_tokens }} >= 1
            then {{ size_class(input_tokens, 4) }}
    end
{%- endmacro %}

{#-
    Boolean: the ceiling that was sent is the one that a quantile of the table gave for a rate, so
    that the truncation of the call says something about that quantile. A floor was made for no
    rate, and a control call ran under no budget. A call that failed, was filtered or was cut off by
    something else did not end by its ceiling, nor within it.
-#}
{% macro ran_under_quantile() -%}
    coalesce(
        coefficients_id is not null
        and max_truncation is not null
        and budget_source in ('quantile cell', 'parent', 'so far')
        and selected_budget = coalesce(actual_max_tokens, selected_budget)
        and not is_control
        and (
            ({{ attempt_outcome() }}) = 'observed'
            or (is_truncated and stop_class <> 'filtered' and not {{ is_cut_off_elsewhere() }})
        ),
        false
    )
{%- endmacro %}
