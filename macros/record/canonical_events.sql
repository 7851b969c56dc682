{#-
    From calls in the columns of the event record, as their source wrote them, to events in the
    vocabulary of all sources: the CTEs of a stg_<source>__events, of which `final` is the last. Where
    no line has landed that the model has not taken up, it reads none of them, and they cost nothing.
-#}
{% macro canonical_events(calls) %}
{% set source = model['name'].split('__')[0][4:] %}
{% do config(enabled=has_events() if source == 'relation' else is_read(source)) %}
{% if source != 'relation' and not has_landed(source) %}
final as (
    {{ no_events() }}
)
{% else %}
category_aliases as (
    select * from {{ ref('category_aliases') }}
),

complexity_aliases as (
    select * from {{ ref('complexity_aliases') }}
),

complexity_suffixes as (
    select * from {{ ref('complexity_suffixes') }}
),

stop_reasons as (
    select * from {{ ref('stop_reasons') }}
),

keyed as (
    select
        *,
        {{ vocabulary_key('category') }} as category_key,
        {{ vocabulary_key('complexity') }} as complexity_key,
        {{ stop_word_key('stop_reason') }} as stop_reason_key
    from {{ calls }}
),

-- low_complexity, high-level: the few distinct spellings, not every event
complexity_spellings as (
    select distinct {{ vocabulary_key('complexity') }} as complexity_key
    from {{ calls }}
    where complexity is not null
),

complexities as (
    select
        spellings.complexity_key,
        min(
            case
                when right(spellings.complexity_key, length(suffixes.name)) = suffixes.name
                    then
                        left(
                            spellings.complexity_key,
                            length(spellings.complexity_key) - length(suffixes.name)
                        )
            end
        ) as stem
    from complexity_spellings as spellings
    cross join complexity_suffixes as suffixes
    group by spellings.complexity_key
),

canonical_complexities as (
    select
        complexities.complexity_key,
        coalesce(complexity_aliases.label, complexities.complexity_key) as complexity
    from complexities
    left join complexity_aliases
        on coalesce(complexities.stem, complexities.complexity_key) = complexity_aliases.name
),

canonical as (
    select
        keyed.event_id,
        keyed.has_event_id,
        keyed.occurred_at,
        keyed.run_id,
        keyed.phase_id,
        keyed.attempt,
        coalesce(category_aliases.label, keyed.category_key) as category,
        complexities.complexity,
        keyed.category as recorded_category,
        keyed.complexity as recorded_complexity,
        keyed.labels,
        keyed.deliverables,
        coalesce(keyed.deliverable_count, {{ list_size('keyed.deliverables') }})
            as deliverable_count,
        keyed.breakdown,
        keyed.provider,
        keyed.model,
        keyed.model_served,
        keyed.response_id,
        keyed.input_tokens,
        keyed.coefficients_id,
        keyed.estimator_version,
        keyed.predicted_output_tokens,
        keyed.selected_budget,
        keyed.budget_source,
        keyed.max_truncation,
        -- nobody sends a ceiling of 0: it stands for none
        nullif(keyed.actual_max_tokens, 0) as actual_max_tokens,
        keyed.actual_output_tokens,
        keyed.reasoning_tokens,
        keyed.stop_reason,
        case
            when keyed.stop_reason is null then 'unrecorded'
            else coalesce(stop_reasons.label, 'unknown')
        end as stop_class,
        keyed.truncated as recorded_truncated,
        {{ assumed_max_tokens('keyed.model') }} as assumed_max_tokens,
        keyed.success as is_success,
        coalesce(keyed.is_control, false) as is_control,
        keyed.quality_flags as recorded_quality_flags,
        keyed.smape_percent as recorded_smape,
        keyed.waste_ratio as recorded_estimate_ratio,
        keyed.underestimated as recorded_underestimated,
        keyed.source_file,
        keyed.line_no,
        keyed.landing_no
    from keyed
    left join category_aliases
        on keyed.category_key = category_aliases.name
    left join canonical_complexities as complexities
        on keyed.complexity_key = complexities.complexity_key
    left join stop_reasons
        on keyed.stop_reason_key = stop_reasons.name
),

{{ judged_truncation('canonical') }}
{% endif %}
{% endmacro %}

{#-
    The CTEs that judge whether calls were cut off, of which `final` is the last. What says so is the
    strongest evidence; where nothing says how a call ended, and no ceiling is known that the whole of
    its output stayed below, nobody knows.
-#}
{% macro judged_truncation(calls) %}
measured as (
    select
        *,
        coalesce(
            {{ reaches_ceiling('actual_output_tokens', known_ceiling(), 'stop_class') }},
            false
        ) as reached_ceiling
    from {{ calls }}
),

final as (
    select
        *,
        case
            when stop_class in ('truncated', 'context_window') then 'stop_reason'
            when recorded_truncated then 'recorded'
            when reached_ceiling and actual_max_tokens is null then 'assumed'
            when reached_ceiling then 'inferred'
        end as truncation_evidence,
        case
            when stop_class in ('truncated', 'context_window') then true
            when recorded_truncated or reached_ceiling then true
            when not recorded_truncated and stop_class = 'unrecorded' then false
            when
                stop_class in ('unknown', 'unrecorded')
                and ({{ known_ceiling() }} is null or {{ is_counted_in_part() }})
                then cast(null as boolean)
            else false
        end as is_truncated
    from measured
)
{% endmacro %}

{#-
    Boolean: the output reached the ceiling. Providers count a few tokens less than they cut off at,
    which tells nothing where the call says that it came to its end.
-#}
{% macro reaches_ceiling(output_tokens, ceiling, stop_class) -%}
    {{ output_tokens }} >= {{ ceiling }} - case
        when {{ stop_class }} in ('tool', 'unknown', 'unrecorded')
            then greatest(1, least(8, {{ ceiling }} / 1000.0))
        else 0
    end
{%- endmacro %}

{#-
    The ceiling that var assumed_max_tokens declares for the source and the model of a call whose record
    holds none; it stands apart from a recorded one.
-#}
{% macro assumed_max_tokens(model_name) -%}
    {%- set ceilings = var('assumed_max_tokens') -%}
    {%- if ceilings is not mapping or ceilings.values() | reject('mapping') | list -%}
        {%- do refuse_var('assumed_max_tokens') -%}
    {%- endif -%}
    {%- set declared = ceilings.get(model['name'].split('__')[0][4:], ceilings.get('all', {})) -%}
    {%- if declared %}
    cast(
        case
            {%- for name, tokens in declared.items() if name != 'all' %}
            when {{ model_name }} = {{ text_literals([name]) }} then {{ tokens }}
            {%- endfor %}
            when true then {{ declared.get('all', 'null') }}
        end as bigint
    )
    {%- else %}
    cast(null as bigint)
    {%- endif %}
{%- endmacro %}

{#- The columns of a staged event, in their order, with their types. -#}
{% macro staged_columns() %}
    {{ return({
        'event_id': 'text', 'has_event_id': 'flag', 'occurred_at': 'time', 'run_id': 'text', 'phase_id': 'text',
        'attempt': 'whole', 'category': 'text', 'complexity': 'text', 'recorded_category': 'text',
        'recorded_complexity': 'text', 'labels': 'labels', 'deliverables': 'text_list', 'deliverable_count': 'whole',
        'breakdown': 'text_list', 'provider': 'text', 'model': 'text', 'model_served': 'text', 'response_id': 'text',
        'input_tokens': 'whole', 'coefficients_id': 'text', 'estimator_version': 'text',
        'predicted_output_tokens': 'whole', 'selected_budget': 'whole', 'budget_source': 'text',
        'max_truncation': 'number', 'actual_max_tokens': 'whole', 'actual_output_tokens': 'whole',
        'reasoning_tokens': 'whole', 'stop_reason': 'text', 'stop_class': 'text', 'recorded_truncated': 'flag',
        'assumed_max_tokens': 'whole', 'is_success': 'flag', 'is_control': 'flag',
        'recorded_quality_flags': 'text_list', 'recorded_smape': 'number', 'recorded_estimate_ratio': 'number',
        'recorded_underestimated': 'flag', 'source_file': 'text', 'line_no': 'whole', 'landing_no': 'whole',
        'reached_ceiling': 'flag', 'truncation_evidence': 'text', 'is_truncated': 'flag',
    }) }}
{% endmacro %}

{#- No row of stg_<source>__events. -#}
{% macro no_events() %}
    {{ no_rows(staged_columns()) }}
{% endmacro %}
