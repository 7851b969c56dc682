{#-
    So far: what is new gets what new ones needed. For each model, and each value of the widest
    label, the calls are replayed in the order of time: how far above the median its earlier calls
    were, and how much above that the next one needed. Each was new once.
-#}

{#- Weight of a call that is `age` calls of its key old: halved every so_far_half_life calls. -#}
{% macro so_far_weight(age) -%}
    power(cast(2 as double), -({{ age }}) / cast({{ var('so_far_half_life') }} as double))
{%- endmacro %}

{#- How many calls of a key are known before its call with this number, halved as they age. -#}
{% macro so_far_known(number) -%}
    (1 - {{ so_far_weight(number ~ ' - 1') }}) / (1 - {{ so_far_weight(1) }})
{%- endmacro %}

{#-
    Window: the effect of a key as known before its call with this number, in logarithms: the sum
    of `value` over its earlier calls, by their weight, over their number + so_far_shrinkage.
-#}
{% macro so_far_effect(value, key, number) -%}
    coalesce(
        sum({{ value }} * {{ so_far_weight('-' ~ number) }}) over (
            partition by {{ key }}
            order by {{ number }} asc
            rows between unbounded preceding and 1 preceding
        ),
        cast(0 as double)
    )
    * {{ so_far_weight(number ~ ' - 1') }}
    / ({{ so_far_known(number) }} + {{ var('so_far_shrinkage') }})
{%- endmacro %}

{#- The effect after the key's call with this number, from the effect before it and its value. -#}
{% macro so_far_effect_after(effect, value, number) -%}
    (
        {{ effect }} * ({{ so_far_known(number) }} + {{ var('so_far_shrinkage') }})
        * {{ so_far_weight(1) }}
        + {{ value }}
    )
    / ({{ so_far_known(number ~ ' + 1') }} + {{ var('so_far_shrinkage') }})
{%- endmacro %}

{#- Class of how many calls of a key are known: 0, 1-2, 3-5, 6-11, 12-24, 25-59, 60 and more. -#}
{% macro known_bin(known) -%}
    case
        when {{ known }} is null then cast(null as bigint)
        {%- for bound in known_bounds() %}
        when {{ known }} < {{ bound }} - 0.5e0 then cast({{ loop.index0 }} as bigint)
        {%- endfor %}
        else cast({{ known_bounds() | length }} as bigint)
    end
{%- endmacro %}

{#- The first number of calls of each class but the lowest. -#}
{% macro known_bounds() %}
    {{ return([1, 3, 6, 12, 25, 60]) }}
{% endmacro %}

{#- Columns label_level and label_cell: the narrowest cell without a model, from ancestor_cells. -#}
{% macro ancestor_label_cell() -%}
    case
        {%- for level in range(label_level() + 1, 0, -1) %}
        when cell_{{ level }} is not null then {{ level }}
        {%- endfor %}
        else 0
    end as label_level,
    coalesce({% for level in range(label_level() + 1, -1, -1) %}cell_{{ level }}{{ ', ' if not loop.last }}{% endfor %})
        as label_cell
{%- endmacro %}

{#-
    The number of the level that the effects of models are measured at: that of category and
    complexity where these are the widest labels, else of the widest alone. No label behind them may
    move what they give.
-#}
{% macro effect_level() %}
    {{ return(2 if labels()[:2] == ['category', 'complexity'] else 1) }}
{% endmacro %}

{#- Columns effect_cell_level and effect_cell: the narrowest cell up to effect_level of a row. -#}
{% macro effect_cell_columns() -%}
    case
        {%- for level in range(effect_level(), 0, -1) %}
        when {{ demand_cell(level) }} is not null then {{ level }}
        {%- endfor %}
        else 0
    end as effect_cell_level,
    coalesce(
        {%- for level in range(effect_level(), 0, -1) %}
        {{ demand_cell(level) }},
        {%- endfor %}
        ''
    ) as effect_cell
{%- endmacro %}
