{#- How a cell's own quantile and those of the wider cells make one budget. -#}

{#- Weight of a cell's own data in its budget, 0 to 1: n / (n + 1/rate), Bühlmann's credibility. -#}
{% macro own_data_weight(n_event, rate) -%}
    coalesce({{ n_event }} / ({{ n_event }} + 1 / cast({{ rate }} as double)), cast(0 as double))
{%- endmacro %}

{#-
    One step of the blend, all in logarithms: the parent moved towards the cell's own value, where
    there is one. It holds the parent once: a text that held it twice would double with each step.
-#}
{% macro log_blend(parent, own, weight) -%}
    {%- set known = 'case when ' ~ own ~ ' is null then 0 else ' ~ weight ~ ' end' -%}
    (1 - {{ known }}) * ({{ parent }})
    + {{ known }} * coalesce({{ own }}, 0)
{%- endmacro %}

{#-
    SQL, a logarithm: from where it starts (`prior`), each step moves it towards its own value:
    `steps` are pairs of value and weight.
-#}
{% macro blended(prior, steps) -%}
    {%- set above = namespace(sql=prior) -%}
    {%- for own, weight in steps -%}
        {%- set above.sql = log_blend(above.sql, own, weight) -%}
    {%- endfor -%}
    {{ above.sql }}
{%- endmacro %}

{#-
    SQL, the logarithm of a budget: from the root down, each level moves it towards its own quantile,
    by the weight of its own data. `prior` is where it starts, and `of_model` what the levels of the
    labels move it to where it is that of a model; null without.
-#}
{% macro blended_levels(rate, prior='ln(level_0.blended_tokens)', of_model=none) -%}
    {%- set steps = [] -%}
    {%- for level in range(1, demand_levels() | length) -%}
        {%- set own = 'ln(level_' ~ level ~ '.blended_tokens)' -%}
        {%- do steps.append((
            'case when ' ~ own ~ ' is not null then coalesce(' ~ of_model ~ ', ' ~ own ~ ') end'
            if of_model and level <= label_level() else own,
            own_data_weight('level_' ~ level ~ '.n_event', rate),
        )) -%}
    {%- endfor -%}
    {{ blended(prior, steps) }}
{%- endmacro %}

{#-
    The share of a budget, in logarithms, that comes from quantiles of its own cells, 0 to 1. The
    rest is what its like has needed so far. Of a cell with a model those from the labels on down.
-#}
{% macro share_of_own_cells(rate, located) -%}
    case
        when {{ located }}.cell_level = 0 then cast(1 as double)
        {%- for first, last, condition in [
            (1, label_level(), 'when ' ~ located ~ '.cell_level <= ' ~ label_level() ~ ' then'),
            (label_level() + 1, narrowest_level(), 'else'),
        ] %}
        {{ condition }} 1
            {%- for level in range(first, last + 1) %}
            {{ '- ' if loop.first else '* ' }}
            (1 - {{ own_data_weight('level_' ~ level ~ '.n_event', rate) }})
            {%- endfor %}
        {%- endfor %}
    end
{%- endmacro %}

{#- A column of the narrowest level with enough observed calls for the rate, else of all calls. -#}
{% macro of_level_used(column) -%}
    case
        {%- for level in range(demand_levels() | length - 1, 0, -1) %}
        when level_{{ level }}.has_enough_events then level_{{ level }}.{{ column }}
        {%- endfor %}
        else level_0.{{ column }}
    end
{%- endmacro %}

{#- Boolean: identified at the level used, and no cell below it is beyond the bounds. -#}
{% macro is_identified_in_chain() -%}
    case
        {%- for level in range(demand_levels() | length - 1, 0, -1) %}
        when level_{{ level }}.is_beyond_bounds then false
        when level_{{ level }}.has_enough_events then true
        {%- endfor %}
        else not level_0.is_beyond_bounds
    end
{%- endmacro %}

{#- One step of median_shrunk in logarithms: the parent counts for shrinkage_calls calls. -#}
{% macro shrunk(parent, own, n_event) -%}
    {%- set weight = n_event ~ ' / (' ~ n_event ~ ' + ' ~ var('shrinkage_calls') ~ ')' -%}
    {{ log_blend(parent, 'ln(' ~ own ~ ')', weight) }}
{%- endmacro %}

{#-
    Logarithm of `own_column` of the cell, shrunk towards `column` of its category, itself shrunk
    towards that of all calls. Null where the own column is, when it is another one.
-#}
{% macro shrunk_cascade(column, own_column=none) -%}
    {%- set of_category = shrunk(
        'ln(of_all.' ~ column ~ ')', 'of_category.' ~ column, 'of_category.n_event'
    ) -%}
    {%- if own_column -%}
        case
            when own.{{ own_column }} is not null
                then {{ shrunk(of_category, 'own.' ~ own_column, 'own.n_event') }}
        end
    {%- else -%}
        {{ shrunk(of_category, 'own.' ~ column, 'own.n_event') }}
    {%- endif -%}
{%- endmacro %}
