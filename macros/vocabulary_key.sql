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
