{#- Groups of calls: the narrowest labels that a call has, as one name for people. -#}

{#- The number of the narrowest level of labels alone that a call has; 0 without any. -#}
{% macro group_level() -%}
    case
        {%- for level in range(label_level(), 0, -1) %}
        when {{ demand_cell(level) }} is not null then {{ level }}
        {%- endfor %}
        else 0
    end
{%- endmacro %}

{#- The columns of var labels: those of the level in column cell_level, and null for the others. -#}
{% macro group_columns(relation=none) -%}
    {%- set of = relation ~ '.' if relation else '' -%}
    {%- for name in labels() -%}
    case when {{ of }}cell_level >= {{ loop.index }} then {{ of }}{{ label_column(name) }} end
        as {{ label_column(name) }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- Text: the labels of a group, the widest first; empty without any. -#}
{% macro group_name() -%}
    concat_ws(
        ' / '
        {%- for name in labels() %}, {{ label_column(name) }}{% endfor -%}
    )
{%- endmacro %}
