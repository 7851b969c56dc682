{#-
    Where a type stands: before the end of a cast, of a column, or a constraint. What makes a table has
    its settings before it, since each statement comes this way.
-#}
{% macro postgres__engine_sql(sql) %}
    {% set of_type = '(?i)(?<=[a-z0-9_"] )%s(?=\\s*[,)]|\\s+not null|\\s*$)' %}
    {% set words = modules.re.sub(of_type % 'string', 'text', sql) %}
    {% set words = modules.re.sub(of_type % 'double', 'double precision', words) %}
    {{ return(planned_as_a_whole() ~ words if made_table(words) else words) }}
{% endmacro %}

{% macro postgres__regex_test(text, pattern) -%}
    ({{ text }} ~ '{{ pattern }}')
{%- endmacro %}

{% macro postgres__regex_first(text, pattern) -%}
    {{ postgres__regex_first_by(text, "'" ~ pattern ~ "'") }}
{%- endmacro %}

{% macro postgres__regex_first_by(text, pattern) -%}
    case when {{ text }} is not null then coalesce((regexp_match({{ text }}, {{ pattern }}))[1], '') end
{%- endmacro %}

{% macro postgres__key_hash(text) -%}
    hashtextextended(cast({{ text }} as text), 0)
{%- endmacro %}

{#- Texts are compared byte by byte, whatever the collation of the database. -#}
{% macro postgres__joined_text(value) -%}
    string_agg({{ value }}, ', ' order by {{ value }} collate "C")
{%- endmacro %}

{#- Of decimals: those of doubles are a little off where they should be whole. -#}
{% macro postgres__log2_of(number) -%}
    cast(log(2, cast({{ number }} as numeric)) as double)
{%- endmacro %}

{#- A double is rounded to the even one of two neighbours, and not to decimals. -#}
{% macro postgres__rounded(value, decimals) -%}
    cast(round(cast({{ value }} as numeric), {{ decimals }}) as double)
{%- endmacro %}

{% macro postgres__number_of_text(text) -%}
    cast(
        case when {{ text }} ~ '^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,2})?$' then {{ text }} end
        as double
    )
{%- endmacro %}

{#- The catalog knows what the driver does not: text[], json, timestamp with time zone. -#}
{% macro postgres__relation_columns(relation) %}
    {% set columns = {} %}
    {% for row in run_query(
        'select attname, format_type(atttypid, null) as type_name from pg_attribute'
        ~ ' where attnum > 0 and not attisdropped and attrelid = cast(' ~ text_literals([relation_name(relation)]) ~ ' as regclass)'
        ~ ' order by attnum'
    ).rows %}
        {% do columns.update({row['attname'].lower(): {
            'quoted': adapter.quote(row['attname']),
            'type': row['type_name'],
            'is_text': row['type_name'] in ['text', 'character varying', 'character', 'name'],
        }}) %}
    {% endfor %}
    {{ return(columns) }}
{% endmacro %}
