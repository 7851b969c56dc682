{#-
    Labels: what calls are grouped by, an ordered list (var labels). Category and complexity have
    columns of their own, since the estimator's rules know them; every other label of the record's
    object `labels` becomes a column label_<name>, so that a label may be called `order` or `model_n`.
-#}
{% macro label_column(name) %}
    {{ return(name if name in estimator_labels() else 'label_' ~ name) }}
{% endmacro %}

{#- Var labels, refused where it is no list or empty: dbt reads models before it looks at vars. -#}
{% macro labels() %}
    {% set given = var('labels') %}
    {% if given is string or given is mapping or given is not iterable or not given %}
        {% do refuse_var('labels') %}
    {% endif %}
    {{ return(given) }}
{% endmacro %}

{#- The column of the widest label, the first of var labels: what kind of call it is. -#}
{% macro top_label() %}
    {{ return(label_column(labels()[0])) }}
{% endmacro %}

{#- The labels that the estimator's own rules (floors, overheads, multipliers) tell apart. -#}
{% macro estimator_labels() %}
    {{ return(['category', 'complexity']) }}
{% endmacro %}

{#- The labels of var labels that the record keeps in its object `labels`. -#}
{% macro further_labels() %}
    {{ return(labels() | reject('in', estimator_labels()) | list) }}
{% endmacro %}

{#- All columns of labels: category, complexity and the further ones, joined by commas. -#}
{% macro label_columns(prefix='') -%}
    {%- for name in estimator_labels() + further_labels() -%}
    {{ prefix }}{{ label_column(name) }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- The same, and the size of the estimate: what tells a call from others before it has a model. -#}
{% macro cell_label_columns(prefix='') -%}
    {{ label_columns(prefix) }}, {{ prefix }}estimate_bin
{%- endmacro %}

{#- Boolean: two rows have the same labels; an absent one equals an absent one. -#}
{% macro same_labels(left, right) -%}
    {%- for name in estimator_labels() + further_labels() -%}
    {{ left }}.{{ label_column(name) }} is not distinct from {{ right }}.{{ label_column(name) }}
    {%- if not loop.last %} and {% endif %}
    {%- endfor -%}
{%- endmacro %}

{#-
    Columns of the further labels, read from the record's object (JSON text); the one place where
    they become columns. Values are compared as categories are (vocabulary_key).
-#}
{% macro further_label_columns(json) -%}
    {%- for name in further_labels() -%}
    , {{ vocabulary_key(json_text(
        json_member(json_record(json, path_tree(further_labels())), name, path_tree(further_labels()))
    )) }}
        as {{ label_column(name) }}
    {%- endfor -%}
{%- endmacro %}

{#- JSON text: the widest label alone, with the value of a column; empty where it is absent. -#}
{% macro top_label_object(column='top_label') -%}
    '{' || coalesce('"{{ var("labels")[0] }}":' || {{ json_quoted(column) }}, '') || '}'
{%- endmacro %}

{#-
    JSON text: the labels of a cell by name, in the order of var labels, and the size of the estimate;
    absent ones are absent. `most` leaves out all but so many of the widest.
-#}
{% macro label_object(prefix='', most=none) -%}
    '{' || concat_ws(
        ','
        {%- for name in (labels() | list + ['estimate_bin'])[:most] %},
        {%- set column = label_column(name) if name in labels() else name %}
        '"{{ name }}":' || {{ json_quoted(prefix ~ column) }}
        {%- endfor %}
        {%- if most == 0 %}, cast(null as string){% endif %}
    ) || '}'
{%- endmacro %}

{#- Text: one label of the record's object (JSON text); null without it. -#}
{% macro label_text(json, name) -%}
    {{ json_text(json_member(json_record(json, path_tree([name])), name, path_tree([name]))) }}
{%- endmacro %}
