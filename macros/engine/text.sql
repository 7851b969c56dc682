{#- 'a', 'b': quoted and escaped, so that a file's name can never be read as SQL. -#}
{% macro text_literals(values) -%}
    {{ return(adapter.dispatch('text_literals', 'tokenest')(values)) }}
{%- endmacro %}

{% macro duckdb__text_literals(values) -%}
    {%- for value in values -%}
        '{{ value | replace("'", "''") }}'{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{% macro regex_test(text, pattern) -%}
    {{ return(adapter.dispatch('regex_test', 'tokenest')(text, pattern)) }}
{%- endmacro %}

{% macro duckdb__regex_test(text, pattern) -%}
    regexp_matches({{ text }}, '{{ pattern }}')
{%- endmacro %}

{% macro list_size(list) -%}
    {{ return(adapter.dispatch('list_size', 'tokenest')(list)) }}
{%- endmacro %}

{% macro duckdb__list_size(list) -%}
    len({{ list }})
{%- endmacro %}

{#- A time with Z or an offset, or without (taken as UTC), as a timestamp in UTC; else null. -#}
{% macro utc_timestamp(text) -%}
    {{ return(adapter.dispatch('utc_timestamp', 'tokenest')(text)) }}
{%- endmacro %}

{% macro duckdb__utc_timestamp(text) -%}
    cast(try_cast({{ text }} as timestamptz) at time zone 'UTC' as timestamp)
{%- endmacro %}

{#- A time in microseconds since 1970 as the text of RFC 3339, in UTC. -#}
{% macro time_of_micros(micros) -%}
    {{ return(adapter.dispatch('time_of_micros', 'tokenest')(micros)) }}
{%- endmacro %}

{% macro duckdb__time_of_micros(micros) -%}
    strftime(make_timestamp({{ micros }}), '%Y-%m-%dT%H:%M:%S.%fZ')
{%- endmacro %}

{#- The first group of a pattern's first match; an empty text without a match. -#}
{% macro regex_first(text, pattern) -%}
    {{ return(adapter.dispatch('regex_first', 'tokenest')(text, pattern)) }}
{%- endmacro %}

{% macro duckdb__regex_first(text, pattern) -%}
    regexp_extract({{ text }}, '{{ pattern }}', 1)
{%- endmacro %}

{% macro regex_replace_all(text, pattern, replacement) -%}
    {{ return(adapter.dispatch('regex_replace_all', 'tokenest')(text, pattern, replacement)) }}
{%- endmacro %}

{% macro duckdb__regex_replace_all(text, pattern, replacement) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '{{ replacement }}', 'g')
{%- endmacro %}

{#- Bytes of a text, without counting its letters. -#}
{% macro byte_length(text) -%}
    {{ return(adapter.dispatch('byte_length', 'tokenest')(text)) }}
{%- endmacro %}

{% macro duckdb__byte_length(text) -%}
    strlen({{ text }})
{%- endmacro %}

{% macro text_starts_with(text, beginning) -%}
    {{ return(adapter.dispatch('text_starts_with', 'tokenest')(text, beginning)) }}
{%- endmacro %}

{% macro duckdb__text_starts_with(text, beginning) -%}
    starts_with({{ text }}, {{ beginning }})
{%- endmacro %}

{% macro text_ends_with(text, ending) -%}
    {{ return(adapter.dispatch('text_ends_with', 'tokenest')(text, ending)) }}
{%- endmacro %}

{% macro duckdb__text_ends_with(text, ending) -%}
    suffix({{ text }}, {{ ending }})
{%- endmacro %}

{#- A whole number of 64 bits, the same for the same text on one engine; sums of it do not overflow. -#}
{% macro key_hash(text) -%}
    {{ return(adapter.dispatch('key_hash', 'tokenest')(text)) }}
{%- endmacro %}

{% macro duckdb__key_hash(text) -%}
    hash({{ text }})
{%- endmacro %}
