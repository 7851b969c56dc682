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

{% macro group_by_columns(columns) -%}
    {{ 'group by ' ~ columns | join(', ') if columns }}
{%- endmacro %}

{#- Text: the values of a stratum, joined; `all` when it spans everything. -#}
{% macro stratum_name(columns=stratum_names()) -%}
    coalesce(nullif(concat_ws(' / ', {{ columns | join(', ') }}), ''), 'all')
{%- endmacro %}
