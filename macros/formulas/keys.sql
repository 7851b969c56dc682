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

{#-
    Text: a stop word as its vocabulary spells it: hyphens and blanks are underscores, and of a member
    of an enumeration that was written as its library prints it (FinishReason.MAX_TOKENS) only its name.
-#}
{% macro stop_word_key(word) -%}
    replace(replace({{ regex_first(vocabulary_key(word), '([^.]*)$') }}, '-', '_'), ' ', '_')
{%- endmacro %}

{#- Boolean: the stop word says that an answer reached its ceiling, as seed stop_reasons has it. -#}
{% macro says_truncated(word) -%}
    coalesce({{ regex_test(stop_word_key(word), '^(' ~ truncated_words() ~ ')$') }}, false)
{%- endmacro %}

{#- The stop words of the class truncated, for readers of lines, which no seed can be joined to. -#}
{% macro truncated_words() -%}
    length|max_output_tokens|max_tokens|max_output|maxtokens|maxpredictedtokensreached
{%- endmacro %}
