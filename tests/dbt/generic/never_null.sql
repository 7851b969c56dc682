{#- Names each of the columns that is null somewhere, with how often: one test of them all. -#}
{% test never_null(model, columns) %}
with

counted as (
    select
        count(*) as n_rows
        {%- for column in columns %},
        count({{ column }}) as n_{{ loop.index }}
        {%- endfor %}
    from {{ model }}
)

{% for column in columns -%}
select
    '{{ column }}' as column_name,
    n_rows - n_{{ loop.index }} as n_null
from counted
where n_rows > n_{{ loop.index }}
{{ 'union all' if not loop.last }}
{% endfor %}
{% endtest %}
