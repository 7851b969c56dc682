{#-
    Query: the rows of `shares` and column switch_on, what to switch on in the source: where some
    calls are counted in part, and where fewer than half know a ceiling or say a stop word.
-#}
{% macro with_switch_on(shares, advice) -%}
    {%- set lacking = [
        ('count', 'partial_share > 0'),
        ('ceiling', 'ceiling_known_share < 0.5'),
        ('stop_word', 'stop_said_share < 0.5'),
    ] -%}
    select
        {{ shares }}.*,
        nullif(
            concat_ws(
                '; '
                {%- for lacks, condition in lacking %},
                case when {{ shares }}.{{ condition }} then of_{{ lacks }}.switch_on end
                {%- endfor %}
            ),
            ''
        ) as switch_on
    from {{ shares }}
    {%- for lacks, _ in lacking %}
    left join {{ advice }} as of_{{ lacks }}
        on
            {{ shares }}.source_name = of_{{ lacks }}.source_name
            and of_{{ lacks }}.lacks = '{{ lacks }}'
    {%- endfor %}
{%- endmacro %}
