{#-
    Before a run: what landing asks of its own tables, and an older version did not write, is there. It
    is null for what that version landed.
-#}
{% macro upgrade_landed_lines() %}
    {% if execute and flags.WHICH in ['build', 'run'] %}
        {% for relation in landed_relations() %}
            {% set columns = adapter.get_columns_in_relation(relation) %}
            {% set present = columns | map(attribute='name') | list %}
            {% for name, type in columns_of_places().items() if name not in present %}
                {% do run_query('alter table ' ~ relation ~ ' add column ' ~ name ~ ' ' ~ type) %}
            {% endfor %}
        {% endfor %}
    {% endif %}
{% endmacro %}

{#- The columns of base_<source>__lines that version 1 did not have, and landing reads. -#}
{% macro columns_of_places() %}
    {{ return({'file_path': 'string', 'landed_bytes': 'bigint', 'landed_md5': 'string'}) }}
{% endmacro %}
