{#-
    Columns of exports.coefficients in their order; docs/coefficients.md says what each kind means.
-#}
{% macro coefficient_columns() %}
    {{ return([
        {'name': 'kind', 'type': 'string'},
        {'name': 'name', 'type': 'string'},
        {'name': 'category', 'type': 'string'},
        {'name': 'complexity', 'type': 'string'},
        {'name': 'labels', 'type': 'json'},
        {'name': 'model', 'type': 'string'},
        {'name': 'input_bin', 'type': 'bigint'},
        {'name': 'max_truncation', 'type': 'double'},
        {'name': 'position', 'type': 'bigint'},
        {'name': 'label', 'type': 'string'},
        {'name': 'threshold', 'type': 'double'},
        {'name': 'value', 'type': 'double'},
        {'name': 'n', 'type': 'bigint'},
        {'name': 'confidence', 'type': 'double'},
        {'name': 'method', 'type': 'string'},
    ]) }}
{% endmacro %}

{#- The columns that tell one coefficient from another, in the order of the file. -#}
{% macro coefficient_key_columns() %}
    {{ return([
        'kind', 'position', 'name', 'category', 'complexity', 'labels', 'model', 'input_bin',
        'max_truncation', 'label',
    ]) }}
{% endmacro %}

{#- Rows of one kind, read from a relation that has the given columns; the others are null. -#}
{% macro coefficient_rows(kind, relation, columns) %}
    select
        '{{ kind }}' as kind
        {%- for column in coefficient_columns() if column['name'] != 'kind' %},
        {% set type = 'string' if column['type'] == 'json' else column['type'] -%}
        {% if column['name'] in columns -%}
        cast({{ relation }}.{{ column['name'] }} as {{ type }}) as {{ column['name'] }}
        {%- else -%}
        cast(null as {{ type }}) as {{ column['name'] }}
        {%- endif -%}
        {%- endfor %}
    from {{ relation }}
{%- endmacro %}

{#-
    Boolean: the runtime reads labels of at most 512 characters. What has a longer one is left out.
-#}
{% macro has_readable_labels(columns) -%}
    {%- for column in columns -%}
        coalesce(length({{ column }}) <= 512, true){{ ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- Text that is unique to a coefficient. -#}
{% macro coefficient_key() -%}
    {{ key_of(coefficient_key_columns()) }}
{%- endmacro %}
