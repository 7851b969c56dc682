{#-
    The rows of one model of every source, with the source's word. Tables are named without their
    database, so that the view holds wherever the database file is copied to or attached; in a host,
    which says what database it is, with it. Where no source is read there is no row. `columns` are
    mapped to their types.
-#}
{% macro united(prefix, suffix, columns) %}
    {% for source in var('sources') %}
    {% set table = ref(prefix ~ '_' ~ source ~ '__' ~ suffix).include(database=is_guest()) %}
    {% set rows %}
    {{ 'union all' if not loop.first }}
    select
        '{{ source }}' as source_name,
        {{ columns | join(',\n        ') }}
    from {{ table }}
    {% endset %}
    {{ rows if loop.first else unless_empty(table, rows) }}
    {% else %}
    {{ no_rows(dict({'source_name': 'text'}, **columns)) }}
    {% endfor %}
{% endmacro %}

{#- A part of a query that adds the rows of a table. A plan leaves it out where there are none. -#}
{% macro unless_empty(table, rows) %}
    {{- rows -}}
{% endmacro %}
