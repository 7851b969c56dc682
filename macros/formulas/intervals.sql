{#-
    Lower end of the Wilson score interval of a rate, 0 to 1: `events` of `trials`, at var
    interval_z standard errors (1.96: 95 %). Null when nothing was tried.
-#}
{% macro wilson_lower(events, trials) -%}
    case
        when {{ trials }} > 0
            then greatest(cast(0 as double), {{ wilson_bound(events, trials, '-') }})
    end
{%- endmacro %}

{#- The upper end of the same interval. -#}
{% macro wilson_upper(events, trials) -%}
    case
        when {{ trials }} > 0
            then least(cast(1 as double), {{ wilson_bound(events, trials, '+') }})
    end
{%- endmacro %}

{#- (k + z²/2 ± z·sqrt(k·(n − k)/n + z²/4)) / (n + z²), E. B. Wilson 1927. -#}
{% macro wilson_bound(events, trials, sign) -%}
    {%- set z = 'cast(' ~ var('interval_z') ~ ' as double)' -%}
    (
        cast({{ events }} as double) + {{ z }} * {{ z }} / 2
        {{ sign }} {{ z }} * sqrt(
            cast({{ events }} as double) * cast({{ trials }} - {{ events }} as double)
            / nullif(cast({{ trials }} as double), 0)
            + {{ z }} * {{ z }} / 4
        )
    ) / (cast({{ trials }} as double) + {{ z }} * {{ z }})
{%- endmacro %}
