{#-
    The levels of the calibration's cells, from wide to narrow: all calls, then one label more each
    (var labels), then the size of the estimate, the model and the size of the input. Each is the list of its columns.
-#}
{% macro demand_levels() %}
    {% set columns = [] %}
    {% for name in labels() %}{% do columns.append(label_column(name)) %}{% endfor %}
    {% do columns.extend(['estimate_bin', 'model', 'input_bin']) %}
    {% set levels = [] %}
    {% for n in range(columns | length + 1) %}{% do levels.append(columns[:n]) %}{% endfor %}
    {{ return(levels) }}
{% endmacro %}

{#-
    The levels that survival is followed for: those of the budgets, and after them those of the
    multipliers (all calls, category, category and complexity) where var labels has others.
-#}
{% macro survival_levels() %}
    {% set levels = demand_levels() %}
    {% for columns in [['category'], ['category', 'complexity']] if columns not in levels %}
        {% do levels.append(columns) %}
    {% endfor %}
    {{ return(levels) }}
{% endmacro %}

{#- The number of the level that is made of these columns, as column cell_level has it. -#}
{% macro level_of(columns) %}
    {{ return(survival_levels().index(columns)) }}
{% endmacro %}

{#- The number of the narrowest level of the budgets. -#}
{% macro narrowest_level() %}
    {{ return(demand_levels() | length - 1) }}
{% endmacro %}

{#- The number of the level that has all labels, and neither sizes nor model. -#}
{% macro label_level() %}
    {{ return(labels() | length) }}
{% endmacro %}

{#-
    Text: the cell of a row at a level; null where the column that the level adds is null.
-#}
{% macro demand_cell(level) -%}
    {%- set columns = survival_levels()[level] -%}
    {%- if not columns -%}
        ''
    {%- else -%}
        case when {{ columns[-1] }} is not null then {{ key_of(columns) }} end
    {%- endif -%}
{%- endmacro %}

{#- Columns cell_level and cell: the narrowest cell that a row lies in. -#}
{% macro narrowest_cell_columns() -%}
    case
        {%- for level in range(narrowest_level(), 0, -1) %}
        when {{ demand_cell(level) }} is not null then {{ level }}
        {%- endfor %}
        else 0
    end as cell_level,
    coalesce(
        {%- for level in range(narrowest_level(), 0, -1) %}
        {{ demand_cell(level) }},
        {%- endfor %}
        ''
    ) as cell
{%- endmacro %}

{#- The columns of a cell: those of its level, and null for the others. -#}
{% macro demand_level_columns(level) -%}
    {%- for column in cell_label_columns().split(', ') + ['model', 'input_bin'] -%}
    {%- set type = 'bigint' if column == 'input_bin' else 'string' -%}
    {{ column if column in survival_levels()[level] else 'cast(null as ' ~ type ~ ')' }} as {{ column }}
    {%- if not loop.last %}, {% endif %}
    {%- endfor -%}
{%- endmacro %}

{#-
    Columns cell_0, cell_1 ...: the cells that a cell lies in, from wide to narrow, itself the last.
    The key of a wider one is the beginning of its own key, up to a part that is not empty.
-#}
{% macro ancestor_cells() -%}
    '' as cell_0
    {%- for level in range(1, narrowest_level() + 1) %},
    case
        when cell_level >= {{ level }} and split_part(cell, '|', {{ level }}) <> ''
            then concat_ws(
                '|'
                {%- for part in range(1, level + 1) %}, split_part(cell, '|', {{ part }}){% endfor -%}
            )
    end as cell_{{ level }}
    {%- endfor %}
{%- endmacro %}

{#- Joins level_0, level_1 ...: the rows of `relation` for those cells, at the same rate. -#}
{% macro ancestor_joins(relation, located) -%}
    {%- for level in demand_levels() %}
    left join {{ relation }} as level_{{ loop.index0 }}
        on
            level_{{ loop.index0 }}.cell_level = {{ loop.index0 }}
            and {{ located }}.cell_{{ loop.index0 }} = level_{{ loop.index0 }}.cell
            and {{ located }}.max_truncation = level_{{ loop.index0 }}.max_truncation
    {%- endfor %}
{%- endmacro %}

{#- Columns parent_level and parent_cell: the narrowest cell that a row lies in and is not. -#}
{% macro parent_columns() -%}
    {%- set inner_levels = range(narrowest_level() - 1, 0, -1) -%}
    case
        {%- for level in inner_levels %}
        when cell_level > {{ level }} and cell_{{ level }} is not null then {{ level }}
        {%- endfor %}
        else 0
    end as parent_level,
    coalesce(
        {%- for level in inner_levels %}
        case when cell_level > {{ level }} then cell_{{ level }} end,
        {%- endfor %}
        cell_0
    ) as parent_cell
{%- endmacro %}
