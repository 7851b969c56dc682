{#- What strata are split by. -#}
{% macro stratum_names() %}
    {{ return(['category', 'complexity', 'deliverable_bucket', 'outcome']) }}
{% endmacro %}

{#- The columns that name a stratum: the value where it is split by, null where it spans all. -#}
{% macro split_columns(split_by, names=stratum_names(), relation='') %}
    {%- for column in names %}
        {{ relation ~ column if column in split_by else 'cast(null as string)' }} as {{ column }}
        {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- The group by of a stratum; nothing where it spans all. -#}
{% macro group_by_columns(columns) -%}
    {{ 'group by ' ~ columns | join(', ') if columns }}
{%- endmacro %}

{#- Text: the values of a stratum, joined; `all` when it spans everything. -#}
{% macro stratum_name(columns=stratum_names()) -%}
    coalesce(nullif(concat_ws(' / ', {{ columns | join(', ') }}), ''), 'all')
{%- endmacro %}

{#- Text: the size class of a deliverable count. A count recorded as 0 has a class of its own. -#}
{% macro deliverable_bucket(deliverable_count) -%}
    case
        when {{ deliverable_count }} is null then 'unknown'
        when {{ deliverable_count }} <= 0 then '0'
        when {{ deliverable_count }} = 1 then '1'
        when {{ deliverable_count }} <= 5 then '2-5'
        when {{ deliverable_count }} <= 7 then '6-7'
        when {{ deliverable_count }} <= 15 then '8-15'
        else '16+'
    end
{%- endmacro %}
