{#-
    The rows of one model of every source, with the source's word. Tables are named without their
    database, so that the view holds wherever the database file is copied to or attached; in a host,
    which says what database it is, with it. Where no source is read there is no row. `columns` are
    mapped to their types.
-#}
{% macro united(prefix, suffix, columns) %}
    {% for source in var('sources') %}
    select
        '{{ source }}' as source_name,
        {{ columns | join(',\n        ') }}
    from {{ ref(prefix ~ '_' ~ source ~ '__' ~ suffix).include(database=is_guest()) }}
    {{ 'union all' if not loop.last }}
    {% else %}
    {{ no_rows(dict({'source_name': 'text'}, **columns)) }}
    {% endfor %}
{% endmacro %}
