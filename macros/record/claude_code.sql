{#-
    What the field map of Claude Code asks of a message's content, of which nothing is stored.
-#}

{#- Characters that the model wrote: text, thinking, and what it gave to tools. -#}
{% macro form_visible_characters(content) -%}
    {{ return(adapter.dispatch('form_visible_characters', 'tokenest')(content)) }}
{%- endmacro %}

{#- The ceiling that the program says was exceeded: the only place where it tells of one. -#}
{% macro form_said_maximum(content) -%}
    nullif({{ regex_first(content, 'exceeded the ([0-9]+) output token maximum') }}, '')
{%- endmacro %}
