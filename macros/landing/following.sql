{#-
    Models that keep a row per event, call or text follow the landing: a build takes up what has
    landed since they were built, and leaves the other rows alone. How far a model has come, and
    under which rules, is its table's comment. When a rule changes (a macro, a model, a seed, a
    var), or landing began anew, the table is built anew as a whole.

    Engines that cannot replace single rows build these models as tables each time.
-#}
{% macro follows_landing() %}
    {{ return('incremental' if target.type == 'duckdb' else 'table') }}
{% endmacro %}

{#- The number of the last landing that this model has taken up. -#}
{% macro landed_before() %}
    {% if not execute %}{{ return(0) }}{% endif %}
    {{ return(landing_state(this)['landings']) }}
{% endmacro %}

{#- Rows that have landed since; without it, all of them. -#}
{% macro since_last_landing() -%}
    {%- if is_incremental() -%}
        where landing_no > {{ landed_before() }}
    {%- endif -%}
{%- endmacro %}

{#-
    The same for rows that depend on the other events of their phase: all rows of the phases that
    new lines are about. Not by ref: a unit test would have to make up both of them.
-#}
{% macro of_changed_phases() -%}
    {%- if is_incremental() -%}
        where (run_id, phase_id) in ({{ changed_phases() }})
    {%- endif -%}
{%- endmacro %}

{% macro changed_phases() %}
    select
        run_id,
        phase_id
    from {{ relation_named('stg_telemetry__events') }}
    {{ since_last_landing() }}
    union distinct
    select
        run_id,
        phase_id
    from {{ relation_named('base_telemetry__repeated_lines') }}
    {{ since_last_landing() }}
{% endmacro %}

{#-
    For rows of truncated phases: those that new lines are about, and every phase of which a call
    names no run, since that call belongs to one of the runs that there are.
-#}
{% macro and_of_changed_truncated_phases() -%}
    {%- if is_incremental() -%}
        and (run_id, phase_id) in ({{ changed_truncated_phases() }})
    {%- endif -%}
{%- endmacro %}

{% macro changed_truncated_phases() %}
    with

    changed as ({{ changed_phases() }}),

    unplaced as (
        select phase_id
        from {{ relation_named('estimates') }}
        where run_id = 'unknown' and is_truncated
        union distinct
        select phase_id
        from changed
        where run_id = 'unknown'
    )

    select
        run_id,
        phase_id
    from changed
    union distinct
    select
        run_id,
        phase_id
    from {{ relation_named('estimates') }}
    where is_truncated and phase_id in (select unplaced.phase_id from unplaced)
{% endmacro %}

{#- A pre-hook of those rows: a phase that changed is built anew. -#}
{% macro forget_changed_truncated_phases() %}
    {% if execute and is_incremental() %}
        delete from {{ this }}
        where (run_id, phase_id) in ({{ changed_truncated_phases() }})
    {% endif %}
{% endmacro %}

{#- For rows that depend on the other lines of their id: all lines of the ids that came. -#}
{% macro and_of_new_ids() -%}
    {%- if is_incremental() -%}
        and event_key in (
            select event_key
            from {{ relation_named('base_telemetry__lines') }}
            {{ since_last_landing() }}
        )
    {%- endif -%}
{%- endmacro %}

{#- A post-hook: how far the model has come is as far as all that it is built from. -#}
{% macro remember_landing() %}
    {% if execute and model.config.materialized == 'incremental' %}
        {% set state = {'rules': rules_md5(), 'landings': none} %}
        {% for name in model.depends_on.nodes if graph.nodes[name].config.materialized == 'incremental' %}
            {% set parent = relation_named(graph.nodes[name].name) %}
            {% if parent.identifier == 'base_telemetry__lines' %}
                {% set landings = run_query(last_landing(parent)).rows[0]['landing_no'] %}
            {% else %}
                {% set parent_state = landing_state(parent) %}
                {% set landings = parent_state['landings'] %}
                {% if parent_state['rules'] != state['rules'] %}{% do state.update({'rules': 'outdated'}) %}{% endif %}
            {% endif %}
            {% if state['landings'] is none or landings < state['landings'] %}
                {% do state.update({'landings': landings}) %}
            {% endif %}
        {% endfor %}
        comment on table {{ this }} is 'rules {{ state["rules"] }}, landings to {{ state["landings"] }}'
    {% endif %}
{% endmacro %}

{#- A pre-hook: what counted until its id came with other content counts no more. -#}
{% macro forget_conflicts(columns) %}
    {% if execute and is_incremental() %}
        delete from {{ this }}
        where ({{ columns | join(', ') }}) in (
            select {% for column in columns -%}
                {{ 'event_key' if column == 'event_id' else column }}{{ ', ' if not loop.last }}
            {%- endfor %}
            from {{ relation_named('base_telemetry__repeated_lines') }}
            where verdict = 'id_conflict' and landing_no > {{ landed_before() }}
        )
    {% endif %}
{% endmacro %}

{#- For rows of whole periods: those of the periods that are not built as they are now. -#}
{% macro and_is_not_built(period) -%}
    {%- if is_incremental() -%}
        and {{ period }} not in (select {{ period.split('.') | last }} from {{ this }})
    {%- endif -%}
{%- endmacro %}

{#- A pre-hook of such rows: a period that holds other events than were built counts no more. -#}
{% macro forget_changed_periods(period) %}
    {% if execute and is_incremental() %}
        delete from {{ this }}
        where ({{ period }}, content_key) not in (
            select
                {{ period }},
                content_key
            from {{ relation_named('int_periods') }}
            where {{ period }} is not null
        )
    {% endif %}
{% endmacro %}

{#- A post-hook of the landing: marks where it began, so that whoever follows sees a new beginning. -#}
{% macro mark_first_landing() %}
    {% if execute and not is_incremental() and target.type == 'duckdb' %}
        comment on table {{ this }} is 'landing began with {{ invocation_id }}'
    {% endif %}
{% endmacro %}

{#- dbt asks this of every incremental model: true when it has to be built as a whole. -#}
{% macro should_full_refresh() %}
    {% if config.get('full_refresh') is not none %}{{ return(config.get('full_refresh')) }}{% endif %}
    {{ return(flags.FULL_REFRESH or is_outdated()) }}
{% endmacro %}

{% macro is_outdated() %}
    {% if not execute or not config.get('unique_key') or target.type != 'duckdb' %}{{ return(false) }}{% endif %}
    {{ return(landing_state(this)['rules'] != rules_md5()) }}
{% endmacro %}

{% macro relation_named(name) %}
    {% set node = graph.nodes['model.tokenest.' ~ name] %}
    {{ return(api.Relation.create(
        database=node.database, schema=node.schema, identifier=node.alias
    )) }}
{% endmacro %}

{#- {'rules': ..., 'landings': ...} from the comment of a table. -#}
{% macro landing_state(relation) %}
    {% set comment = table_comment(relation) or '' %}
    {% set found = modules.re.match('rules ([a-z0-9]+), landings to ([0-9]+)', comment) %}
    {{ return({
        'rules': found[1] if found else 'none',
        'landings': found[2] | int if found else 0,
    }) }}
{% endmacro %}

{% macro table_comment(relation) %}
    {% set found = run_query(
        "select comment from duckdb_tables() where database_name = current_database()"
        ~ " and schema_name = '" ~ relation.schema ~ "' and table_name = '" ~ relation.identifier ~ "'"
    ).rows %}
    {{ return(found[0]['comment'] if found else none) }}
{% endmacro %}

{#- Everything that a row can depend on beside the lines. -#}
{% macro rules_md5() %}
    {% set rules = [] %}
    {% for name in following_vars() %}
        {% do rules.append(name ~ '=' ~ var(name)) %}
    {% endfor %}
    {% for node in graph.nodes.values() if node.resource_type in ('model', 'seed') %}
        {% do rules.append(node.checksum.checksum) %}
    {% endfor %}
    {% for macro in context['tokenest'].values() if macro.macro is defined %}
        {% do rules.append(macro.macro.macro_sql) %}
    {% endfor %}
    {% do rules.append(table_comment(relation_named('base_telemetry__lines')) or '') %}
    {{ return(local_md5(rules | sort | join('|'))) }}
{% endmacro %}

{#- The vars that the rows of the models that follow depend on. -#}
{% macro following_vars() %}
    {{ return([
        'under_multiplier', 'stub_max_tokens', 'synthetic_predicted_tokens', 'partial_usage_flags',
        'failure_mode_max_tokens', 'labels',
    ]) }}
{% endmacro %}
