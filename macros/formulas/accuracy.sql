{#-
    The formulas that compare a prediction with what happened, each once. Arguments are SQL
    expressions; results are doubles unless said otherwise, and null where an argument is.
-#}

{#- Symmetric absolute percentage error, 0 to 200: 200·|p − a| / (p + a), 0 when both are 0. -#}
{% macro smape(predicted, actual) -%}
    case
        when {{ predicted }} + {{ actual }} = 0 then cast(0 as double)
        else
            cast(200 as double) * abs({{ predicted }} - {{ actual }})
            / cast({{ predicted }} + {{ actual }} as double)
    end
{%- endmacro %}

{#-
    ln(predicted / actual): positive when the prediction was too high; null unless both are above
    0.
-#}
{% macro log_error(predicted, actual) -%}
    case
        when {{ predicted }} > 0 and {{ actual }} > 0
            then ln({{ ratio(predicted, actual) }})
    end
{%- endmacro %}

{#-
    Boolean: actual > predicted × under_multiplier. A truncated call needed at least `actual`:
    true where that bound already exceeds the prediction, null (undecided) otherwise.
-#}
{% macro underestimated(predicted, actual, is_truncated) -%}
    case
        when {{ actual }} > {{ predicted }} * cast({{ var('under_multiplier') }} as double) then true
        when {{ is_truncated }} is null or {{ is_truncated }} then cast(null as boolean)
        when {{ predicted }} is null then cast(null as boolean)
        else false
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

{#- Columns: how far a prediction was from the output of its call. -#}
{% macro prediction_scores(predicted, prefix='') -%}
    {{ ratio(predicted, 'actual_output_tokens') }} as {{ prefix }}estimate_ratio,
    case when not is_truncated then {{ smape(predicted, 'actual_output_tokens') }} end
        as {{ prefix }}smape,
    {{ underestimated(predicted, 'actual_output_tokens', 'is_truncated') }}
        as {{ prefix }}underestimated
{%- endmacro %}

{#- Columns: the scores of what was predicted when the call was made, and of its ceiling. -#}
{% macro estimate_scores() -%}
    {{ prediction_scores('predicted_output_tokens') }},
    {{ ratio('ceiling_tokens', 'actual_output_tokens') }} as ceiling_ratio,
    case
        when not is_truncated
            then {{ log_error('predicted_output_tokens', 'actual_output_tokens') }}
    end as log_error
{%- endmacro %}
