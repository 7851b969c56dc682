{{ config(
    materialized=follows_landing(),
    unique_key='event_id',
    pre_hook='{{ forget_conflicts(["event_id"]) }}',
    post_hook='{{ remember_landing() }}',
) }}

{% set constant_names = [
    'safety_margin',
    'default_phase_overhead',
    'documentation_models',
    'doc_synthesis_investigate_none',
    'doc_synthesis_api_reference',
    'doc_synthesis_examples',
    'doc_synthesis_per_file',
    'doc_synthesis_coordination',
    'doc_synthesis_coordination_files',
    'doc_sot_context_none',
    'doc_sot_per_file',
    'doc_sot_consistency',
] %}

with

events as {{ inlined() }} (
    select * from {{ ref('int_events') }}
    {{ since_last_landing() }}
),

deliverables as (
    select * from {{ ref('int_deliverables') }}
),

breakdown_parts as (
    select * from {{ ref('int_breakdown_parts') }}
),

phase_overheads as (
    select * from {{ ref('phase_overheads') }}
),

constants as (
    select
        {{ constant_columns(constant_names) }}
    from {{ ref('estimator_constants') }}
),

class_categories as (
    select distinct class_category
    from deliverables
),

listed as (
    select
        events.event_id,
        coalesce(class_categories.class_category, '') as class_category,
        {{ unnest_list('events.deliverables') }} as deliverable
    from events
    left join class_categories
        on events.category = class_categories.class_category
),

totals as (
    select
        listed.event_id,
        cast(sum(deliverables.marginal_tokens) as bigint) as marginal_tokens,
        count(*) as file_count,
        count(case when deliverables.is_assumed_new then 1 end) as assumed_new_count,
        bool_or(deliverables.is_hidden) as is_hidden,
        bool_and(deliverables.is_document) as is_all_documents,
        bool_or(deliverables.is_history_file) as has_history_file,
        bool_or(deliverables.asks_api_reference) as asks_api_reference,
        bool_or(deliverables.asks_examples) as asks_examples,
        bool_or(deliverables.asks_usage_guide) as asks_usage_guide,
        bool_or(deliverables.asks_research) as asks_research
    from listed
    inner join deliverables
        on
            listed.class_category = deliverables.class_category
            and listed.deliverable = deliverables.deliverable
    group by listed.event_id
),

parts as (
    select
        event_id,
        {{ unnest_list('breakdown') }} as part
    from events
),

-- one part that the current rules cannot read, or parts of two models, spoil a breakdown
breakdowns as (
    select
        parts.event_id,
        cast(sum(breakdown_parts.part_tokens) as bigint) as part_tokens,
        cast(sum(breakdown_parts.file_count) as bigint) as file_count,
        cast(sum(breakdown_parts.assumed_new_count) as bigint) as assumed_new_count,
        min(breakdown_parts.replay_model) as replay_model,
        bool_and(breakdown_parts.is_document) as is_all_documents
    from parts
    cross join constants
    left join breakdown_parts
        on
            parts.part = breakdown_parts.part
            and (
                constants.documentation_models <> 0
                or breakdown_parts.replay_model = 'deliverables'
            )
    group by parts.event_id
    having
        count(*) = count(breakdown_parts.part)
        and count(distinct breakdown_parts.replay_model) = 1
        and sum(breakdown_parts.file_count) > 0
),

judged as (
    select
        events.event_id,
        coalesce(events.category, 'implementation') as category,
        events.complexity,
        totals.marginal_tokens,
        totals.asks_api_reference,
        totals.asks_examples,
        totals.has_history_file,
        breakdowns.replay_model as recorded_model,
        breakdowns.part_tokens as recorded_tokens,
        case
            when breakdowns.event_id is not null then 'breakdown'
            when totals.event_id is null then 'no_deliverables'
            when events.deliverable_count > {{ list_size('events.deliverables') }}
                then 'deliverables_cut'
            when totals.is_hidden then 'deliverables_hidden'
            else 'deliverables'
        end as replay_basis,
        coalesce(breakdowns.file_count, totals.file_count) as file_count,
        coalesce(breakdowns.assumed_new_count, totals.assumed_new_count) as assumed_new_count,
        constants.documentation_models <> 0
        and coalesce(breakdowns.is_all_documents, totals.is_all_documents) as is_documentation,
        totals.asks_api_reference
        or (totals.asks_examples and (totals.asks_usage_guide or totals.asks_research))
            as asks_synthesis
    from events
    cross join constants
    left join totals
        on events.event_id = totals.event_id
    left join breakdowns
        on events.event_id = breakdowns.event_id
),

-- a category that names its model gets that model, so that a stored category replays
modelled as (
    select
        *,
        case
            when replay_basis = 'breakdown' then recorded_model
            when replay_basis <> 'deliverables' then cast(null as string)
            when not is_documentation then 'deliverables'
            when category = 'doc_synthesis' then 'doc_synthesis'
            when category = 'doc_sot_update' or has_history_file then 'doc_sot_update'
            when asks_synthesis then 'doc_synthesis'
            else 'deliverables'
        end as replay_model
    from judged
),

named as (
    select
        *,
        case
            when coalesce(replay_model, '') <> 'deliverables' then replay_model
            when is_documentation then 'documentation'
            else category
        end as replayed_category
    from modelled
),

-- without a breakdown task text and scope paths are not known: no research, and no context to read
added_up as (
    select
        named.*,
        case
            when named.replay_basis = 'breakdown' then named.recorded_tokens
            when named.replay_model = 'doc_synthesis'
                then {{ doc_synthesis_tokens('named', 'constants') }}
            when named.replay_model = 'doc_sot_update'
                then {{ doc_sot_update_tokens('named', 'constants') }}
            else named.marginal_tokens
        end as part_tokens
    from named
    cross join constants
),

sized as (
    select
        added_up.*,
        constants.safety_margin,
        added_up.part_tokens
        + case added_up.replay_model
            when 'doc_synthesis' then {{ doc_synthesis_coordination('added_up', 'constants') }}
            when 'doc_sot_update' then {{ doc_sot_consistency('added_up', 'constants') }}
            else coalesce(phase_overheads.value, floor(constants.default_phase_overhead))
        end as tokens
    from added_up
    cross join constants
    left join phase_overheads
        on
            added_up.replayed_category = phase_overheads.category
            and added_up.complexity = phase_overheads.complexity
),

final as (
    select
        event_id,
        replay_basis,
        replay_model,
        replayed_category,
        case
            when replay_model is not null then {{ whole_tokens('tokens', 'safety_margin') }}
        end as replayed_output_tokens,
        case when replay_model = 'deliverables' then assumed_new_count else 0 end
            as assumed_new_count
    from sized
)

select * from final
