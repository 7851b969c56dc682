{#-
    Boolean: lines of the source have landed that the model has not taken up. Where none has, there is
    nothing to plan: sources that nobody uses cost next to nothing.
-#}
{% macro has_landed(source) %}
    {% if not execute or flags.WHICH not in ['build', 'run'] or model['resource_type'] != 'model' %}
        {{ return(true) }}
    {% endif %}
    {{ return(has_rows(
        'select 1 from ' ~ ref('base_' ~ source ~ '__lines') ~ ' where landing_no > ' ~ landed_before() ~ ' limit 1'
    )) }}
{% endmacro %}

{#-
    Boolean: the query gives a row. A model asks the database through this alone what its SQL is to be:
    the plan of `tokenest build` holds each of the answers.
-#}
{% macro has_rows(query) %}
    {{ return(run_query(query).rows | length > 0) }}
{% endmacro %}

{#- Rows that have landed since; without it, all of them. -#}
{% macro since_last_landing() -%}
    {%- if is_incremental() -%}
        where landing_no > {{ landed_before() }}
    {%- endif -%}
{%- endmacro %}

{#-
    The same for rows that depend on the other events of their phase: all rows of the phases that
    new lines are about, and of their like whose run is unknown, which a known run takes over. Looked
    up by name instead of ref(), so that unit tests need no fixtures for both tables.
-#}
{% macro of_changed_phases() -%}
    {%- if is_incremental() -%}
        where (run_id, phase_id) in (
            {{ changed_phases() }}
            union distinct
            select
                'unknown' as run_id,
                phase_id
            from {{ relation_named('int_events') }}
            {{ since_last_landing() }}
        )
    {%- endif -%}
{%- endmacro %}

{#- Query: the phases of events that have landed since. -#}
{% macro changed_phases() %}
    select
        run_id,
        phase_id
    from {{ relation_named('int_events') }}
    {{ since_last_landing() }}
    union distinct
    select
        run_id,
        phase_id
    from {{ all_repeated_lines() }}
    {{ since_last_landing() }}
{% endmacro %}

{#-
    The repeated lines of all sources, and the records that count in another one: of their tables, since
    a build that stopped has no view yet. A source knows nothing of other sources' records.
-#}
{% macro all_repeated_lines() %}
    {%- set found = [] -%}
    {%- for source in var('sources') -%}
        {%- set lines = relation_named('base_' ~ source ~ '__repeated_lines') -%}
        {%- if load_relation(lines) -%}
            {%- do found.append(
                'select run_id, phase_id, event_key, verdict, landing_no from ' ~ lines
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set completed = relation_named('int_completed_events') -%}
    {%- if not model['name'].startswith('stg_') and load_relation(completed) -%}
        {%- do found.append(
            "select run_id, phase_id, event_id as event_key, 'counts_elsewhere' as verdict, landing_no from "
            ~ completed ~ ' where not is_counted'
        ) -%}
    {%- endif -%}
    ({{ found | join(' union all ')
        or 'select null as run_id, null as phase_id, null as event_key, null as verdict,'
        ~ ' 0 as landing_no where false' }})
{%- endmacro %}

{#-
    For rows of truncated phases: those that new lines are about, and every phase of which a call
    names no run, since that call belongs to one of the runs that there are.
-#}
{% macro and_of_changed_truncated_phases() -%}
    {%- if is_incremental() -%}
        and (run_id, phase_id) in ({{ changed_truncated_phases() }})
    {%- endif -%}
{%- endmacro %}

{#- Query: the truncated phases of events that have landed since. -#}
{% macro changed_truncated_phases() %}
    with

    changed as ({{ changed_phases() }}),

    unplaced as (
        select phase_id
        from {{ relation_named('calls') }}
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
    from {{ relation_named('calls') }}
    where is_truncated and phase_id in (select unplaced.phase_id from unplaced)
{% endmacro %}

{#- A pre-hook of those rows: a phase that changed is built anew; one that no call has goes. -#}
{% macro forget_changed_truncated_phases() %}
    {% if execute and is_incremental() %}
        delete from {{ this }}
        where
            (run_id, phase_id) in ({{ changed_truncated_phases() }})
            or (run_id, phase_id) not in (
                select
                    run_id,
                    phase_id
                from {{ relation_named('calls') }}
                where is_truncated
            )
    {% endif %}
{% endmacro %}

{#- For rows that depend on the other lines of their id: all lines of the ids that came. -#}
{% macro and_of_new_ids(lines) -%}
    {%- if is_incremental() -%}
        and event_key in (
            select event_key
            from {{ lines }}
            {{ since_last_landing() }}
        )
    {%- endif -%}
{%- endmacro %}

{#-
    A pre-hook: what counted until another record of its call counts in its place counts no more. Rows
    of phases go with every line that came again, because another line of the call may name another
    phase, and with every event that landed again, because a source that numbers its calls may have
    moved it to another phase; a phase is built anew from what counts now.
-#}
{% macro forget_conflicts(columns) %}
    {% if execute and is_incremental() %}
        delete from {{ this }}
        where ({{ columns | join(', ') }}) in (
            select {{ columns | join(', ') | replace('event_id', 'event_key') }}
            from {{ all_repeated_lines() }}
            where
                landing_no > {{ landed_before() }}
                {% if columns == ['event_id'] %}
                and verdict = 'counts_elsewhere'
                {% endif %}
        )
        {% if columns != ['event_id'] %}
        or event_id in (
            select event_id
            from {{ relation_named('int_events') }}
            {{ since_last_landing() }}
        )
        {% endif %}
    {% endif %}
{% endmacro %}

{#- For rows of whole periods: those of the periods that are not built as they are now. -#}
{% macro and_is_not_built(period) -%}
    {%- if is_incremental() -%}
        and {{ period }} not in (select {{ period.split('.') | last }} from {{ this }})
    {%- endif -%}
{%- endmacro %}

{#- The same of one part of them, where the table is made part by part. -#}
{% macro and_is_to_build(period_kind, period) -%}
    {{ and_is_not_built(period) }} {{ and_is_in_part(period_kind, period) }}
{%- endmacro %}

{#- `tokenest build` asks parts_to_build() for the parts and puts each in here; dbt knows none. -#}
{% macro and_is_in_part(period_kind, period) -%}
{%- endmacro %}

{#- Of how many calls the periods are scored at once: their quantiles take 400 bytes a call. -#}
{% macro calls_of_a_part() -%} 2000000 {%- endmacro %}

{#- Query: the numbers of the parts that hold a period which is not built as it is now. -#}
{% macro parts_to_build(period_kind, period) -%}
    select distinct part_no
    from {{ relation_named('int_periods') }} as periods
    where period_kind = '{{ period_kind }}' {{ and_is_not_built(period) }}
    order by part_no
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

{#- For rows that depend on the other records of their trace: those of the traces that came. -#}
{% macro of_changed_traces(lines) -%}
    (
        lines.landing_no > {{ landed_before() }}
        or lines.trace_id in (
            select new_lines.trace_id
            from {{ lines }} as new_lines
            where new_lines.landing_no > {{ landed_before() }}
        )
    )
{%- endmacro %}
