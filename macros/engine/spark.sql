{#- Spark's half of text.sql, lists.sql, quantiles.sql, joined_text.sql and export.sql. -#}

{#- A text as Spark reads it back: a backslash in a literal escapes there. -#}
{% macro spark__text_literals(values) -%}
    {%- for value in values -%}
        '{{ value | replace('\\', '\\\\') | replace("'", "''") }}'{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- RE2's $ is the end alone; Java's lets a last newline pass. [ and ] alone in brackets Java reads otherwise. -#}
{% macro spark_pattern(pattern) -%}
    '{{ pattern | replace('\\', '\\\\') | replace('[[]', '\\\\[') | replace('[]]', '\\\\]')
        | replace('$', '\\\\z') | replace("'", "''") }}'
{%- endmacro %}

{% macro spark__regex_test(text, pattern) -%}
    regexp_like({{ text }}, {{ spark_pattern(pattern) }})
{%- endmacro %}

{% macro spark__regex_first(text, pattern) -%}
    regexp_extract({{ text }}, {{ spark_pattern(pattern) }}, 1)
{%- endmacro %}

{% macro spark__regex_replace_all(text, pattern, replacement) -%}
    regexp_replace({{ text }}, {{ spark_pattern(pattern) }}, '{{ replacement }}')
{%- endmacro %}

{% macro spark__utc_timestamp(text) -%}
    try_cast({{ text }} as timestamp)
{%- endmacro %}

{% macro spark__time_of_micros(micros) -%}
    date_format(timestamp_micros({{ micros }}), "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'")
{%- endmacro %}

{% macro spark__byte_length(text) -%}
    octet_length({{ text }})
{%- endmacro %}

{% macro spark__text_starts_with(text, beginning) -%}
    startswith({{ text }}, {{ beginning }})
{%- endmacro %}

{% macro spark__text_ends_with(text, ending) -%}
    endswith({{ text }}, {{ ending }})
{%- endmacro %}

{% macro spark__list_size(list) -%}
    cast(array_size({{ list }}) as bigint)
{%- endmacro %}

{% macro spark__list_item(list, position) -%}
    element_at({{ list }}, {{ position }})
{%- endmacro %}

{% macro spark__list_has_any(list, values) -%}
    arrays_overlap({{ list }}, array({{ text_literals(values) }}))
{%- endmacro %}

{% macro spark__unnest_list(list) -%}
    explode({{ list }})
{%- endmacro %}

{#- With n, over rows that each stand for n equal values. -#}
{% macro spark__quantiles(value, probabilities, n='1') -%}
    percentile({{ value }}, array({{ probabilities | join(', ') }}), {{ n }})
{%- endmacro %}

{#- percentile counts by itself, and spills. -#}
{% macro spark__stratum_quantiles(events, names, strata, wanted, flags=[]) %}
{%- set probabilities = wanted.values() | map('last') | unique | list -%}
quantiles as (
    {% for stratum in strata %}
        select
            {{ stratum_columns(stratum, names) }}
            {%- for column, (measure, probability) in wanted.items() %}
            {{ list_item(spark__quantiles(measure, probabilities, 'n'), probabilities.index(probability) + 1) }}
                as {{ column }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ events }}
        where {{ stratum.get('where', 'true') }}
        {{ group_by_columns(stratum['columns']) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
)
{%- endmacro %}

{% macro spark__joined_text(value) -%}
    listagg({{ value }}, ', ') within group (order by {{ value }})
{%- endmacro %}

{% macro spark__list_as_json(list) -%}
    to_json({{ list }})
{%- endmacro %}

{#- to_json takes structures only: {"v":"text"} without its frame. -#}
{% macro spark__json_quoted(text) -%}
    case
        when {{ text }} is not null
            then regexp_extract(to_json(named_struct('v', {{ text }})), '(?s)^.{5}(.*).$', 1)
    end
{%- endmacro %}

{% macro spark__sha256_of_lines(line, position) -%}
    sha2(listagg({{ line }} || chr(10), '') within group (order by {{ position }}), 256)
{%- endmacro %}

{#-
    The table that dbt holds writes the file, the first line in place of its heading. Not replaced
    as a whole: docs/scale.md says what follows.
-#}
{% macro spark__write_lines(query, path) %}
    {% set lines = run_query("select line from (" ~ query ~ ") order by line_position") %}
    {% set rest = lines.limit(1, lines.rows | length).rename([lines.rows[0]['line']]) %}
    {% do rest.to_csv(path, quoting=3, quotechar=none, delimiter='\x1f') %}
{% endmacro %}

{% macro spark__value_of_largest(value, measure) -%}
    max_by(
        {{ value }},
        case when {{ value }} is not null and {{ measure }} is not null then struct({{ measure }}, {{ value }}) end
    )
{%- endmacro %}

{% macro spark__key_hash(text) -%}
    cast(xxhash64({{ text }}) as decimal(20, 0))
{%- endmacro %}
