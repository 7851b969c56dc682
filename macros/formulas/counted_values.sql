{#-
    Exact quantiles of many values. An engine's own quantile keeps every value in memory and cannot
    move them to disk; here equal values are one row with their number, which can. In three steps:
    counted_values() of the finest cells, ranked_values() within a stratum, and over those an
    aggregate, counted_quantile() or counted_rank().
-#}

{#- One row per cell, measure and value: how many events have it. -#}
{% macro counted_values(relation, cell_columns, measures) -%}
    {%- for measure in measures %}
    select
        {% for column in cell_columns -%}
        {{ column }},
        {% endfor -%}
        '{{ measure }}' as measure,
        {{ measure }} as value,
        count(*) as n
    from {{ relation }}
    where {{ measure }} is not null
    group by {{ cell_columns | join(', ') }}, {{ measure }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Columns of a query that groups by measure, value and what defines the stratum. -#}
{% macro ranked_values(stratum_columns) -%}
    {%- set stratum = (['measure'] + stratum_columns) | join(', ') -%}
    measure,
    value,
    sum(sum(n)) over (partition by {{ stratum }} order by value asc) as n_up_to,
    sum(sum(n)) over (partition by {{ stratum }}) as n_values
{%- endmacro %}

{#- The value of a rank, counted from 1; null where there is none. -#}
{% macro counted_rank(rank, measure=none) -%}
    min(
        case
            when {{ "measure = '" ~ measure ~ "' and " if measure }}{{ rank }} >= 1 and n_up_to >= {{ rank }}
                then value
        end
    )
{%- endmacro %}

{#- Interpolated between neighbours, at (n - 1) * probability counted from 0. -#}
{% macro counted_quantile(probability, measure=none) -%}
    {%- set position = '(n_values - 1) * cast(' ~ probability ~ ' as double)' -%}
    {%- set lower = counted_rank('floor(' ~ position ~ ') + 1', measure) -%}
    {%- set upper = counted_rank('ceil(' ~ position ~ ') + 1', measure) -%}
    {%- set part = position ~ ' - floor(' ~ position ~ ')' -%}
    {%- if measure -%}
        {%- set part = "case when measure = '" ~ measure ~ "' then " ~ part ~ ' end' -%}
    {%- endif -%}
    {{ lower }} + ({{ upper }} - {{ lower }}) * max({{ part }})
{%- endmacro %}
