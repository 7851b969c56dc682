{#-
    Text: a key of several parts, joined by |. A | within a part is written %7C, so that two keys
    are never one text, whatever the telemetry calls its categories. A null part is empty.
-#}
{% macro key_of(parts) -%}
    concat_ws(
        '|'
        {%- for part in parts %},
        {{ key_part(part) }}
        {%- endfor %}
    )
{%- endmacro %}

{#- Text: one part of such a key. -#}
{% macro key_part(value) -%}
    coalesce(replace(replace(cast({{ value }} as string), '%', '%25'), '|', '%7C'), '')
{%- endmacro %}

{#-
    Text: a word as the vocabularies of the seeds spell it, in lower case without blanks around it;
    null when nothing is left.
-#}
{% macro vocabulary_key(word) -%}
    nullif(lower(trim({{ word }})), '')
{%- endmacro %}

{#- Text: a stop word as its vocabulary spells it: hyphens and blanks are underscores. -#}
{% macro stop_word_key(word) -%}
    replace(replace({{ vocabulary_key(word) }}, '-', '_'), ' ', '_')
{%- endmacro %}
