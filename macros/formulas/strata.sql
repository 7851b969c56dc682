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

{#- Calls are split by labels, model, deliverables and outcome: {column: what a slice calls it}. -#}
{% macro slice_names() %}
    {% set names = {} %}
    {% for label in estimator_labels() + further_labels() %}
        {% do names.update({label_column(label): label}) %}
    {% endfor %}
    {% for column in ['model', 'deliverable_bucket', 'outcome'] %}
        {% do names.update({column: column}) %}
    {% endfor %}
    {{ return(names) }}
{% endmacro %}

{#-
    The slices of marts.scores, each the list of its columns: all calls; each label, and each pair;
    the model and the deliverable bucket, each alone and with a label; category, complexity and
    bucket; the outcome. A label more is a name more in var labels.
-#}
{% macro slices() %}
    {% set labels = label_columns().split(', ') %}
    {% set found = followed_slices() + [['deliverable_bucket'], ['outcome']] %}
    {% for label in labels %}
        {% for other in labels[loop.index:] + ['model', 'deliverable_bucket'] %}
            {% do found.append([label, other]) %}
        {% endfor %}
    {% endfor %}
    {{ return(found + [estimator_labels() + ['deliverable_bucket']]) }}
{% endmacro %}

{#- The slices that are followed by week and by block of runs: all calls, each label, the model. -#}
{% macro followed_slices() %}
    {% set found = [[]] %}
    {% for column in label_columns().split(', ') + ['model'] %}
        {% do found.append([column]) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}

{#- The group by of slices, each with the columns that every one of them has. -#}
{% macro group_by_slices(slices, others) -%}
    group by grouping sets (
        {%- for slice in slices %}
        ({{ (others + slice) | join(', ') }}){{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{#-
    Columns slice, stratum and stratum_key of a row in which a column of `columns` is null where it
    does not split the slice.
-#}
{% macro slice_columns(columns=slice_names().keys() | list) -%}
    {%- set names = [] -%}
    {%- for column in columns -%}
        {%- set name = slice_names()[column] -%}
        {%- do names.append('case when ' ~ column ~ " is not null then '" ~ name ~ "' end") -%}
    {%- endfor -%}
    {{ stratum_name(names) }} as slice,
    {{ stratum_name(columns) }} as stratum,
    {{ key_of([stratum_name(names)] + columns) }} as stratum_key
{%- endmacro %}

{#- The labels of a call, of which none is null: unknown where it has none. -#}
{% macro known_labels() -%}
    {%- for column in label_columns().split(', ') -%}
    coalesce({{ column }}, 'unknown') as {{ column }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- Text: the key of a row of marts.scores. -#}
{% macro score_key() -%}
    concat_ws('|', period, cast(period_no as string), scope, stratum_key)
{%- endmacro %}

{#- Text: what people call a version of the coefficients. -#}
{% macro version_name(relation='') -%}
    concat_ws(
        ' ', {{ relation }}estimator_version, nullif({{ relation }}coefficients_id, 'unknown')
    )
{%- endmacro %}

{#- Boolean: calls of the version that var baseline pins; without one of any. -#}
{% macro is_of_baseline() -%}
    {%- if var('baseline') -%}
        '{{ var("baseline") }}' in (coefficients_id, {{ version_name() }})
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{#- The number of a version that others are compared with: that of var baseline, or the first. -#}
{% macro baseline_version_no() -%}
    {%- if var('baseline') -%}
        case when {{ is_of_baseline() }} then version_no end
    {%- else -%}
        version_no
    {%- endif -%}
{%- endmacro %}
