{#-
    Text: a word as the vocabularies of the seeds spell it, in lower case without blanks around it;
    null when nothing is left.
-#}
{% macro vocabulary_key(word) -%}
    nullif(lower(trim({{ word }})), '')
{%- endmacro %}
