{#-
    Schemas carry the plain names that readers use: marts.scores, not main_marts.scores. In a host all
    tables stand in one schema, named as the host names its own: <target>_tokenest, where it has no rule.
-#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if not is_guest() -%}
        {{ custom_schema_name | trim if custom_schema_name else target.schema }}
    {%- else -%}
        {%- set named_by_host = context.get(project_name, {}).get(
            'generate_schema_name', dbt.default__generate_schema_name
        ) -%}
        {%- set own = ['seeds'] if node.resource_type == 'seed' else node.fqn[1:2] -%}
        {{ named_by_host('tokenest' if custom_schema_name in own else custom_schema_name, node) }}
    {%- endif -%}
{%- endmacro %}
