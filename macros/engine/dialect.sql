{#-
    dbt runs every statement of a model, a seed and a test by way of this macro: here it gets the words
    of the engine (engine_sql), and its planner what it needs (after_statement).
-#}
{% macro statement(name=none, fetch_result=false, auto_begin=true, language='sql') -%}
    {%- if execute -%}
        {%- set sql = engine_sql(caller()) -%}
        {%- call dbt.statement(name, fetch_result, auto_begin, language) -%}
            {{ sql }}
        {%- endcall -%}
        {%- do after_statement(sql) -%}
    {%- endif -%}
{%- endmacro %}

{#- What a contract is held against comes this way. -#}
{% macro get_column_schema_from_query(select_sql, select_sql_header=none) -%}
    {{ return(dbt.get_column_schema_from_query(engine_sql(select_sql), select_sql_header)) }}
{%- endmacro %}
