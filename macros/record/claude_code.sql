{#-
    What the field map of Claude Code asks of a message's content, of which nothing is stored.
-#}

{#- Characters that the model wrote: text, thinking, and what it gave to tools. -#}
{% macro form_visible_characters(content) -%}
    {{ return(adapter.dispatch('form_visible_characters', 'tokenest')(content)) }}
{%- endmacro %}

{% macro duckdb__form_visible_characters(content) -%}
    case
        when left({{ content }}, 1) = '['
            then cast(list_sum(list_transform(
                from_json({{ content }}, '[{"text":"VARCHAR","thinking":"VARCHAR","input":"JSON"}]'),
                lambda block: coalesce(length(block.text), 0) + coalesce(length(block.thinking), 0)
                    + coalesce(length(cast(block.input as varchar)), 0)
            )) as varchar)
    end
{%- endmacro %}

{% macro spark__form_visible_characters(content) -%}
    case
        when left({{ content }}, 1) = '['
            then cast(aggregate(
                from_json({{ content }}, 'array<struct<text string, thinking string, input string>>'),
                0,
                (total, block) -> total + coalesce(length(block.text), 0)
                    + coalesce(length(block.thinking), 0) + coalesce(length(block.input), 0)
            ) as string)
    end
{%- endmacro %}

{#- The ceiling that the program says was exceeded: the only place where it tells of one. -#}
{% macro form_said_maximum(content) -%}
    nullif({{ regex_first(content, 'exceeded the ([0-9]+) output token maximum') }}, '')
{%- endmacro %}
