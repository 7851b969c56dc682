{#- Which of ten classes a value falls into, 0 to 9, by a list of nine bounds. -#}
{% macro decile_of(value, bounds) -%}
    case
        {%- for decile in range(1, 10) %}
        when {{ value }} <= {{ list_item(bounds, decile) }} then {{ decile - 1 }}
        {%- endfor %}
        else 9
    end
{%- endmacro %}

{#-
    One class's part of the population stability index: (p − q)·ln(p / q) for its shares p now and
    q before, half a call added to each class so that an empty one counts too.
-#}
{% macro stability_part(n_now, total_now, n_before, total_before) -%}
    {%- set now = '((' ~ n_now ~ ' + 0.5e0) / (' ~ total_now ~ ' + 5))' -%}
    {%- set before = '((' ~ n_before ~ ' + 0.5e0) / (' ~ total_before ~ ' + 5))' -%}
    ({{ now }} - {{ before }}) * ln({{ now }} / {{ before }})
{%- endmacro %}

{#-
    Text: how calls have moved. Truncation: harmful or moved where enough calls for the target show it
    above twice the target, or above it. Bias: moved where the interval leaves out one half. Stability:
    watch and moved by vars. Too few calls on either side decide nothing.
-#}
{% macro drift_state() -%}
    case
        when signal_name = 'truncation' and not {{ has_enough_events('n_now', 'threshold') }}
            then case when figure > threshold then 'collect' else 'ok' end
        when signal_name = 'truncation' and figure_low > 2 * threshold then 'harmful'
        when signal_name = 'truncation' and figure_low > threshold then 'moved'
        when signal_name = 'truncation' and figure > threshold then 'watch'
        when signal_name = 'truncation' then 'ok'
        when
            figure is null
            or n_now < {{ var('drift_calls') }}
            or n_before < {{ var('drift_calls') }}
            then 'collect'
        when signal_name = 'bias' and threshold not between figure_low and figure_high then 'moved'
        when signal_name = 'stability' and figure > threshold then 'moved'
        when signal_name = 'stability' and figure > {{ var('drift_watch') }} then 'watch'
        else 'ok'
    end
{%- endmacro %}
