{#-
    Before a run: what landing asks of its own tables, and an older version did not write, is there. It
    is null for what that version landed.
-#}
{% macro upgrade_landed_lines() %}
    {% if execute and flags.WHICH in ['build', 'run'] %}
        {% if 'model.tokenest.base_telemetry__schema_version' in graph.nodes %}
            {% do refuse_other_versions() %}
        {% endif %}
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

{#-
    What landing asks of its own tables, as a number that grows when that changes. The steps from one
    to the next are those of tokenest_py/pipeline/schema.py, which `tokenest build` runs.
-#}
{% macro schema_version() %}{{ return(3) }}{% endmacro %}

{#- Ends a run on a database of a newer tokenest, or of version 1. -#}
{% macro refuse_other_versions() %}
    {% set version = relation_named('base_telemetry__schema_version') %}
    {% if load_relation(version) %}
        {% set found = run_query('select max(schema_version) from ' ~ version).rows[0][0] %}
        {% if found | int > schema_version() %}
            {% do exceptions.raise_compiler_error(
                'the database was built by a newer tokenest (schema ' ~ found ~ ', this one knows '
                ~ schema_version() ~ '); upgrade tokenest, or set TOKENEST_DB'
            ) %}
        {% endif %}
    {% elif load_relation(version.incorporate(path={'identifier': 'base_telemetry__lines'})) %}
        {% do exceptions.raise_compiler_error(
            'the database was built by version 1; run `tokenest build`, which keeps what has landed'
        ) %}
    {% endif %}
{% endmacro %}
