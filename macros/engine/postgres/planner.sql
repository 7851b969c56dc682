{#- The table that a statement makes; none where it makes none. -#}
{% macro made_table(sql) %}
    {% set found = modules.re.search('(?im)^\\s*create\\s+(?:unlogged\\s+)?table\\s+(\\S+)', sql) %}
    {{ return(found.group(1) if found else none) }}
{% endmacro %}

{#-
    Of a CTE that others filtered Postgres expects one row, and so it compares each row with each: of
    ten thousand cells that would take hours. With that left out a plan looks dear enough to be
    compiled, which takes longer than to run it. Both settings end with the transaction.
-#}
{% macro planned_as_a_whole() %}
    set local enable_nestloop = off;
    set local jit = off;
{% endmacro %}

{#- Postgres looks at a new table by itself, but a minute later. -#}
{% macro postgres__after_statement(sql) %}
    {% set table = made_table(sql) %}
    {% if table %}
        {% call dbt.statement() %}
            analyze {{ table }}
        {% endcall %}
    {% endif %}
{% endmacro %}
