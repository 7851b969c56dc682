{#- The origin's ratio: actual / predicted, 0 where the prediction is 0. -#}
{% macro t5_ratio(actual, predicted) -%}
    coalesce({{ ratio(actual, predicted) }}, cast(0 as double))
{%- endmacro %}

{#- Which of n_values sorted values, from 1, the origin takes for the median: the upper of two. -#}
{% macro upper_median_rank() -%}
    floor(n_values / 2) + 1
{%- endmacro %}

{#- The origin's confidence, 0 to 1: 0.6 · min(1, n / 12) + 0.4 / (1 + population deviation). -#}
{% macro t5_confidence(n, deviation) -%}
    cast(0.6 as double) * least(cast(1 as double), {{ ratio(n, 12) }})
    + cast(0.4 as double) / (cast(1 as double) + {{ deviation }})
{%- endmacro %}

{#- The most that t5_confidence can reach with n rows: with no deviation at all. -#}
{% macro t5_reachable_confidence(n) -%}
    {{ t5_confidence(n, 'cast(0 as double)') }}
{%- endmacro %}

{#- Text: what follows from a multiplier whose gates have passed or not. -#}
{% macro calibration_action(multiplier, passes_gates) -%}
    case
        when not {{ passes_gates }} then 'collect'
        when {{ multiplier }} > cast({{ var('increase_above') }} as double) then 'raise'
        when {{ multiplier }} < cast({{ var('decrease_below') }} as double) then 'lower'
        else 'leave'
    end
{%- endmacro %}

{#- The origin's hand-made step: the square root of the multiplier, within 0.5 and 1.5. -#}
{% macro damped(multiplier) -%}
    {{ within_bounds('sqrt(' ~ multiplier ~ ')', 0.5, 1.5) }}
{%- endmacro %}

{#-
    Which of n_values sorted values is the lower (-) or upper (+) end of an interval for their
    median: n/2 and n/2 + 1, less and plus interval_z·sqrt(n)/2, rounded (Conover). 0 or above n
    where no value is: the interval has no end there, as with 5 values or fewer.
-#}
{% macro median_rank(sign) -%}
    {%- set half_width = 'cast(' ~ var('interval_z') ~ ' as double) * sqrt(n_values) / 2' -%}
    floor(n_values / 2e0 {{ '-' if sign == '-' else '+ 1 +' }} {{ half_width }} + 0.5)
{%- endmacro %}

{#-
    Text: what speaks against using a multiplier, comma-separated; null for nothing. `multiplier`
    is its row, `cell` the facts of its category and complexity.
-#}
{% macro multiplier_vetoes(multiplier, cell) -%}
    nullif(
        concat_ws(
            ', ',
            case
                when {{ cell }}.truncated_share > cast({{ var('veto_truncation') }} as double)
                    then 'truncated'
            end,
            case
                when
                    {{ cell }}.filtered_median_tokens is not null
                    and coalesce(
                        abs({{ ratio(cell ~ '.own_median_tokens', cell ~ '.filtered_median_tokens') }} - 1),
                        case when {{ cell }}.truncated_share > 0 then 1 else 0 end
                    ) > cast({{ var('veto_median_shift') }} as double)
                    then 'median_shift'
            end,
            case
                when
                    {{ multiplier }}.estimator_version <> 'replayed'
                    and ({{ multiplier }}.estimator_version = 'unknown' or {{ cell }}.n_versions > 1)
                    then 'mixed_versions'
            end
        ),
        ''
    )
{%- endmacro %}

{#- Text: what the gates say of a row of multipliers, in words. -#}
{% macro gate_note() -%}
    case
        when not passes_min_samples
            then cast({{ var('min_samples') }} - n_gated as string) || ' more needed'
        when gates_contradict
            then
                'the gates contradict each other: ' || cast(n_gated as string)
                || ' calls pass min_samples, yet reach a confidence of '
                || {{ plain_number(rounded('reachable_confidence', 3)) }} || ' at most'
        when not passes_confidence then 'confidence below the threshold'
        when vetoes is not null then 'vetoed: ' || vetoes
        else 'passes'
    end
{%- endmacro %}

{#- Weight of a call in a moving average: four fifths of that of the next one. -#}
{% macro moving_weight(calls_since) -%}
    power(cast(0.8 as double), {{ calls_since }})
{%- endmacro %}

{#- The margin on a moving average: 1.3 at min_samples calls, and towards 1.2 as they grow. -#}
{% macro falling_margin(n) -%}
    cast(1.2 as double) + cast(0.1 as double) * least(cast(1 as double), {{ ratio(var('min_samples'), n) }})
{%- endmacro %}
