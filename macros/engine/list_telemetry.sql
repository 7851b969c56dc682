{#- What has to happen before telemetry.files can be read: nothing, where a source is a query. -#}
{% macro list_telemetry() %}
    {{ return(adapter.dispatch('list_telemetry', 'tokenest')()) }}
{% endmacro %}

{% macro duckdb__list_telemetry() %}{% endmacro %}
