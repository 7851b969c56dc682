{#- Text: a word as the vocabularies of the seeds spell it, in lower case without blanks around it. -#}
{% macro vocabulary_key(word) -%}
    lower(trim({{ word }}))
{%- endmacro %}
