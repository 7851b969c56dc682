{#- What has to happen before telemetry.files can be read: nothing, where a source is a query. -#}
{% macro list_telemetry() %}
    {{ return(adapter.dispatch('list_telemetry', 'tokenest')()) }}
{% endmacro %}

{% macro duckdb__list_telemetry() %}{% endmacro %}

{#- What a glob of TOKENEST_TELEMETRY matches, with the column filename. -#}
{% macro matching_files(glob) -%}
    {{ return(adapter.dispatch('matching_files', 'tokenest')(glob)) }}
{%- endmacro %}

{% macro duckdb__matching_files(glob) -%}
    (select file as filename from glob({{ text_literals([glob]) }}))
{%- endmacro %}
