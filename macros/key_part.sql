{#-
    Text of one part of a key that is joined by |: a | within it is written %7C, so that two keys
    are never one text, whatever the telemetry calls its categories. Empty for null.
-#}
{% macro key_part(value) -%}
    coalesce(replace(replace(cast({{ value }} as string), '%', '%25'), '|', '%7C'), '')
{%- endmacro %}
