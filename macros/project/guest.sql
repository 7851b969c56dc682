{#- Boolean: the package is a guest, in the project of somebody else. -#}
{% macro is_guest() %}
    {{ return(project_name != 'tokenest') }}
{% endmacro %}

{#-
    Boolean: what belongs to a source, or to files at all, has a place here. A host has it for the
    sources that it names.
-#}
{% macro is_read(source=none) %}
    {% if var('sources') and not lands_files() %}
        {% do exceptions.raise_compiler_error(
            'tokenest reads files on DuckDB and Spark, and this is ' ~ target.type ~ ': take '
            ~ var('sources') | join(', ') ~ ' out of the var tokenest__sources, and name a relation'
            ~ ' of events with tokenest__events (docs/package.md)'
        ) %}
    {% endif %}
    {% set is_named = source in var('sources') if source else var('sources') | length > 0 %}
    {{ return(is_named or not is_guest()) }}
{% endmacro %}

{#-
    dbt looks a name up among the models of the root project first; what a model of the package reads is
    the package's own. The one model that reads what a host names (tokenest__events) means the host's,
    and that of another package where the host names the package too.
-#}
{% macro ref(name, of_package=none) %}
    {% if of_package %}{{ return(builtins.ref(name, of_package, **kwargs)) }}{% endif %}
    {% if project_name == 'tokenest' %}{{ return(builtins.ref(name, **kwargs)) }}{% endif %}
    {% set owner = project_name if model['name'] == 'base_relation__calls' else 'tokenest' %}
    {{ return(builtins.ref(owner, name, **kwargs)) }}
{% endmacro %}

{#-
    A var of the package. A host has names of its own, so that there it is tokenest__<name>; the default
    is that of the package, but for the sources: without a word of the host no file is looked for.
-#}
{% macro var(name, default=none) %}
    {% if project_name == 'tokenest' %}
        {{ return(builtins.var(name) if default is none else builtins.var(name, default)) }}
    {% endif %}
    {% set defaults = dict(builtins.var('tokenest__defaults'), sources=[]) %}
    {{ return(builtins.var('tokenest__' ~ name, defaults.get(name, default))) }}
{% endmacro %}

{#- Warns in a host that builds tables of the package and has not said where its calls are. -#}
{% macro check_calls() %}
    {% if execute and is_guest() and not has_events() and not var('sources')
        and 'model.tokenest.' in selected_resources | join(' ') %}
        {% do exceptions.warn(
            'tokenest has no calls to read, and its tables stay empty: name the relation of your calls in'
            ~ ' dbt_project.yml of ' ~ project_name ~ ', `vars: {tokenest__events: "{{ ref(\'llm_calls\') }}"}`'
            ~ ' (docs/package.md)'
        ) %}
    {% endif %}
{% endmacro %}

{#-
    Stops a run in a host where a setting of the host for all packages makes views of the tables of the
    package: each is read by many, and a query of the last ones would compute all of them many times.
-#}
{% macro check_tables() %}
    {% set views = [] %}
    {% for node in (graph.nodes.values() if execute and is_guest() else [])
        if node.package_name == 'tokenest' and node.resource_type == 'model'
        and node.fqn[1] == 'intermediate' and node.config.materialized in ['view', 'ephemeral']
        and node.unique_id in selected_resources %}
        {% do views.append(node) %}
    {% endfor %}
    {% if views %}
        {% do exceptions.raise_compiler_error(
            'dbt_project.yml of ' ~ project_name ~ ' makes ' ~ views[0].name ~ ' of tokenest, and ' ~ (views | length - 1)
            ~ ' more, a ' ~ views[0].config.materialized ~ ', and they have to be tables. Set `models: {tokenest:'
            ~ ' {+materialized: table}}` there, or `+materialized` below the name of a project alone'
        ) %}
    {% endif %}
{% endmacro %}

{#-
    Stops a run in a host before a test of the package looks at a model of the host that has the same
    name: the one place where the package cannot say whose it means.
-#}
{% macro check_names() %}
    {% for node in (graph.nodes.values() if execute and is_guest() else [])
        if node.package_name == 'tokenest' and node.resource_type == 'test'
        and node.unique_id in selected_resources %}
        {% for read in node.depends_on.nodes if read.split('.')[1] != 'tokenest' %}
            {% do exceptions.raise_compiler_error(
                'tokenest and ' ~ project_name ~ ' both have ' ~ read.split('.')[2] ~ ', and dbt takes yours for'
                ~ ' that of tokenest in the test ' ~ node.name ~ '. Set `flags:'
                ~ ' {require_ref_searches_node_package_before_root: true}` in dbt_project.yml (dbt 1.11),'
                ~ ' or `data_tests: {tokenest: {+enabled: false}}`'
            ) %}
        {% endfor %}
    {% endfor %}
{% endmacro %}
