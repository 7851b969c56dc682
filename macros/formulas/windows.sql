{#- Boolean: not after var as_of; always true without it. -#}
{% macro is_until_as_of(occurred_at) -%}
    {%- if var('as_of') -%}
        {{ occurred_at }} <= cast('{{ var("as_of") }}' as timestamp)
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{#- Timestamp: alerts and the scope `recent` look at events after it. -#}
{% macro recent_from(ends_at) -%}
    {{ days_before(var('recent_days'), ends_at) }}
{%- endmacro %}

{#-
    Boolean: not after var as_of, and at the end of the window (int_window) not older than
    history_days.
-#}
{% macro is_in_window(occurred_at, ends_at) -%}
    (
        {{ is_until_as_of(occurred_at) }}
        and (
            {{ var('history_days') }} = 0
            or {{ occurred_at }} > {{ days_before(var('history_days'), ends_at) }}
        )
    )
{%- endmacro %}

{#- Boolean: among the newest history_calls. -#}
{% macro is_recent_call(calls_since) -%}
    ({{ var('history_calls') }} = 0 or {{ calls_since }} < {{ var('history_calls') }})
{%- endmacro %}

{#-
    Weight of a call that is `age` calls old: halved every half_life_calls; 1 without a half-life.
-#}
{% macro age_weight(age) -%}
    case
        when {{ var('half_life_calls') }} = 0 then cast(1 as double)
        else power(cast(0.5 as double), {{ ratio(age, var('half_life_calls')) }})
    end
{%- endmacro %}

{#- Timestamp: the Monday on which the week of a call begins. -#}
{% macro week_start(occurred_at) -%}
    cast(date_trunc('week', {{ occurred_at }}) as timestamp)
{%- endmacro %}
