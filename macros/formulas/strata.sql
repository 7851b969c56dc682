{#- The columns that name a stratum: the value where it is split by, null where it spans all. -#}
{% macro split_columns(split_by) %}
    {%- for column in ['category', 'complexity', 'deliverable_bucket', 'outcome'] %}
        {{ column if column in split_by else 'cast(null as string)' }} as {{ column }}
        {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{% macro group_by_columns(columns) -%}
    {{ 'group by ' ~ columns | join(', ') if columns }}
{%- endmacro %}

{#- Aggregate: the share of the decided rows for which a boolean is true, 0 to 1; null when none is decided. -#}
{% macro share_of(condition) -%}
    avg(case when {{ condition }} then cast(1 as double) when not {{ condition }} then cast(0 as double) end)
{%- endmacro %}
