{#- dbt asks this of every incremental model: true when it has to be built as a whole. -#}
{% macro should_full_refresh() %}
    {% if config.get('full_refresh') is not none %}
        {{ return(config.get('full_refresh')) }}
    {% endif %}
    {{ return(flags.FULL_REFRESH or is_outdated()) }}
{% endmacro %}

{#- True when the table was built by other rules. -#}
{% macro is_outdated() %}
    {% if not execute or not config.get('unique_key') or target.type != 'duckdb' %}
        {{ return(false) }}
    {% endif %}
    {{ return(landing_state(this)['rules'] != rules_md5()) }}
{% endmacro %}

{#-
    Everything besides the lines that a row depends on. The answer is kept with the node, which asks a
    dozen times.
-#}
{% macro rules_md5() %}
    {% if 'rules_md5' in model %}{{ return(model['rules_md5']) }}{% endif %}
    {% set rules = [project_rules()] %}
    {% for lines in landed_relations() %}
        {% do rules.append(comment_on(lines)) %}
    {% endfor %}
    {% do model.update({'rules_md5': local_md5(rules | join('|'))}) %}
    {{ return(model['rules_md5']) }}
{% endmacro %}

{#-
    Of that, what does not change while project and vars stay: all but where landing began. The vars stay
    readable, since a plan leaves some of them open.
-#}
{% macro project_rules() %}
    {% set rules = [project_md5()] %}
    {% for name in following_vars() %}
        {% do rules.append(name ~ '=' ~ var(name)) %}
    {% endfor %}
    {{ return(rules | join('|')) }}
{% endmacro %}

{#-
    The models, seeds and macros of the project. The answer is kept with the graph, for all models of the
    run.
-#}
{% macro project_md5() %}
    {% set kept = 'project_md5 ' ~ invocation_id %}
    {% if kept in graph %}{{ return(graph[kept]) }}{% endif %}
    {% set rules = [] %}
    {% for node in graph.nodes.values()
        if node.package_name == 'tokenest' and node.resource_type in ('model', 'seed') %}
        {% do rules.append(node.checksum.checksum) %}
    {% endfor %}
    {% for macro in context['tokenest'].values() if macro.macro is defined %}
        {% do rules.append(macro.macro.macro_sql) %}
    {% endfor %}
    {% do graph.update({kept: local_md5(rules | sort | join('|'))}) %}
    {{ return(graph[kept]) }}
{% endmacro %}

{#- The vars that the rows of the models that follow depend on. -#}
{% macro following_vars() %}
    {{ return([
        'under_multiplier', 'stub_max_tokens', 'synthetic_runs', 'partial_usage_flags',
        'failure_mode_max_tokens', 'sources', 'labels', 'label_paths', 'assumed_max_tokens',
        'starved_share', 'success_only', 'window_share',
    ]) }}
{% endmacro %}
