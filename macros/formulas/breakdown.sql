{#- Where the pieces of a recorded part stand: backend_modified:2:0.63; each has one group. -#}
{% macro breakdown_pattern(name) -%}
    {{ return({
        'coefficient': '^(.+?):[0-9]{1,9}(?::[^:]*)?$',
        'count': '^.+?:([0-9]{1,9})(?::[^:]*)?$',
        'note': '^.+?:[0-9]{1,9}(?::([^:]*))?$',
    }[name]) }}
{%- endmacro %}

{#- The size factor in a part's note; 1 without one, null where it is no number. -#}
{% macro breakdown_factor(note) -%}
    case when {{ note }} in ('', 'assumed') then 1 else {{ number_of_text(note) }} end
{%- endmacro %}
