{#- The usual rule: plain schemas in production, and one's own beside each other in development. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name and target.name == 'prod' -%}
        {{ custom_schema_name | trim }}
    {%- elif custom_schema_name -%}
        {{ target.schema }}_{{ custom_schema_name | trim }}
    {%- else -%}
        {{ target.schema }}
    {%- endif -%}
{%- endmacro %}

{#- Named as macros of tokenest are, and nothing that those would do. -#}
{% macro ratio(numerator, denominator) %}
    'a ratio of acme'
{% endmacro %}

{% macro key_of(parts) %}
    'a key of acme'
{% endmacro %}

{% macro var_rules() %}
    {{ return('the rules of acme') }}
{% endmacro %}

{#- Of a name with a test of tokenest: every row is wrong. -#}
{% test never_null(model, columns) %}
    select * from {{ model }}
{% endtest %}
