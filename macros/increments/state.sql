{#-
    Models that keep a row per event, call or text follow the landing: a build takes up what has
    landed since they were built, and leaves the other rows alone. How far a model has come, and
    under which rules, is its table's comment. When a rule changes (a macro, a model, a seed, a
    var), or landing began anew, the table is built anew as a whole.

    Engines that cannot replace single rows build these models as tables each time, and so does a
    project with a relation of events: any row of it may have changed.
-#}
{% macro follows_landing() %}
    {{ return('incremental' if target.type == 'duckdb' and not has_events() else 'table') }}
{% endmacro %}

{#-
    Boolean: the model has a table that a build adds to. dbt asks the database for the table before it
    looks whether the model may follow at all, so that a guest could not be compiled without a server.
-#}
{% macro is_incremental() %}
    {{ return(config.get('materialized') == 'incremental' and dbt.is_incremental()) }}
{% endmacro %}

{#- The number of the last landing that this model has taken up. -#}
{% macro landed_before() %}
    {% if not execute or not is_incremental() %}{{ return(0) }}{% endif %}
    {{ return(landing_state(this)['landings']) }}
{% endmacro %}

{#- A post-hook: how far the model has come is as far as all that it is built from. -#}
{% macro remember_landing() %}
    {% if execute and model.config.materialized == 'incremental' %}
        {% set state = {'rules': rules_md5(), 'landings': last_landing()} %}
        {% for node in followed_parents(model) if node.config.unique_key %}
            {% set parent_state = landing_state(relation_named(node.name)) %}
            {% if parent_state['rules'] != state['rules'] %}
                {% do state.update({'rules': 'outdated'}) %}
            {% endif %}
            {% if parent_state['landings'] < state['landings'] %}
                {% do state.update({'landings': parent_state['landings']}) %}
            {% endif %}
        {% endfor %}
        comment on table {{ this }} is 'rules {{ state["rules"] }}, landings to {{ state["landings"] }}'
    {% endif %}
{% endmacro %}

{#- The incremental models that a model is built from; of a view, those behind it. -#}
{% macro followed_parents(node) %}
    {% set found = [] %}
    {% for name in node.depends_on.nodes if name in graph.nodes %}
        {% set parent = graph.nodes[name] %}
        {% if parent.config.materialized == 'incremental' %}
            {% do found.append(parent) %}
        {% elif parent.config.materialized == 'view' %}
            {% do found.extend(followed_parents(parent)) %}
        {% endif %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}

{#-
    A post-hook of the landing: marks where it began, so that whoever follows sees a new beginning.
-#}
{% macro mark_first_landing() %}
    {% if execute and not is_incremental() and target.type == 'duckdb' %}
        comment on table {{ this }} is 'landing began with {{ invocation_id }}'
    {% endif %}
{% endmacro %}

{#- The relation of a model, by its name. -#}
{% macro relation_named(name) %}
    {% set node = graph.nodes['model.tokenest.' ~ name] %}
    {{ return(api.Relation.create(
        database=node.database, schema=node.schema, identifier=node.alias
    )) }}
{% endmacro %}

{#- {'rules': ..., 'landings': ...} from the comment of a table. -#}
{% macro landing_state(relation) %}
    {% set comment = comment_on(relation) %}
    {% set found = modules.re.match('rules ([a-z0-9]+), landings to ([0-9]+)', comment) %}
    {{ return({
        'rules': found[1] if found else 'none',
        'landings': found[2] | int if found else 0,
    }) }}
{% endmacro %}

{#- The comment on a table, in whichever database it is; empty without one. -#}
{% macro comment_on(relation) %}
    {% set name = [relation.database, relation.schema, relation.identifier] | join('.') %}
    {{ return(table_comments().get(name, '')) }}
{% endmacro %}

{#-
    The comments on tables, by database, schema and name, in one query: as they were when the node
    asked first, since a model changes no comment but its own, and that at its end. A profile may
    attach databases beside its own file, and models may be built there.
-#}
{% macro table_comments() %}
    {% if 'table_comments' in model %}{{ return(model['table_comments']) }}{% endif %}
    {% set comments = {} %}
    {% for table in run_query(
        "select database_name || '.' || schema_name || '.' || table_name as name, comment"
        ~ " from duckdb_tables() where comment is not null"
    ).rows %}
        {% do comments.update({table['name']: table['comment']}) %}
    {% endfor %}
    {% do model.update({'table_comments': comments}) %}
    {{ return(comments) }}
{% endmacro %}
