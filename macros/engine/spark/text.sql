{#- A text as Spark reads it back: a backslash in a literal escapes there. -#}
{% macro spark__text_literals(values) -%}
    {%- for value in values -%}
        '{{ value | replace('\\', '\\\\') | replace("'", "''") }}'{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#-
    RE2's $ is the end alone; Java's lets a last newline pass. [ and ] alone in brackets Java reads
    otherwise.
-#}
{% macro spark_pattern(pattern) -%}
    '{{ pattern | replace('\\', '\\\\') | replace('[[]', '\\\\[') | replace('[]]', '\\\\]')
        | replace('$', '\\\\z') | replace("'", "''") }}'
{%- endmacro %}

{% macro spark__regex_test(text, pattern) -%}
    regexp_like({{ text }}, {{ spark_pattern(pattern) }})
{%- endmacro %}

{% macro spark__regex_test_by(text, pattern) -%}
    regexp_like({{ text }}, {{ pattern }})
{%- endmacro %}

{% macro spark__regex_first(text, pattern) -%}
    regexp_extract({{ text }}, {{ spark_pattern(pattern) }}, 1)
{%- endmacro %}

{% macro spark__regex_replace_all(text, pattern, replacement) -%}
    regexp_replace({{ text }}, {{ spark_pattern(pattern) }}, '{{ replacement }}')
{%- endmacro %}

{% macro spark__group_of_match(number) -%}
    {{ return('$' ~ number) }}
{%- endmacro %}

{% macro spark__text_starts_with(text, beginning) -%}
    startswith({{ text }}, {{ beginning }})
{%- endmacro %}

{% macro spark__text_ends_with(text, ending) -%}
    endswith({{ text }}, {{ ending }})
{%- endmacro %}

{% macro spark__trimmed(text, characters, ends='both') -%}
    trim({{ ends }} {{ text_literals([characters]) }} from {{ text }})
{%- endmacro %}

{#- What Databricks says of it (dateadd) asks the server for its version. -#}
{% macro spark__days_before(days, time) -%}
    {{ time }} - interval '{{ days }}' day
{%- endmacro %}

{% macro spark__utc_timestamp(text) -%}
    try_cast({{ text }} as timestamp)
{%- endmacro %}

{% macro spark__time_of_micros(micros) -%}
    date_format(timestamp_micros({{ micros }}), "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'")
{%- endmacro %}

{% macro spark__key_hash(text) -%}
    cast(xxhash64({{ text }}) as decimal(20, 0))
{%- endmacro %}

{% macro spark__joined_text(value) -%}
    listagg({{ value }}, ', ') within group (order by {{ value }})
{%- endmacro %}
