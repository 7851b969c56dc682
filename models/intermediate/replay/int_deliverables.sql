{{ config(
    materialized=follows_landing(),
    unique_key=['class_category', 'deliverable'],
    post_hook='{{ remember_landing() }}',
) }}

with

events as (
    select * from {{ ref('int_events') }}
    {{ since_last_landing() }}
),

paths as (
    select * from {{ ref('int_deliverable_paths') }}
),

deliverable_classes as (
    select * from {{ ref('deliverable_classes') }}
),

token_weights as (
    select * from {{ ref('token_weights') }}
),

history_files as (
    select * from {{ ref('history_files') }}
),

document_features as (
    select
        name,
        {{ spaced_words('label') }} as phrase
    from {{ ref('document_features') }}
    where method = 'any'
),

-- a category matters only where a class rule names it
class_categories as (
    select label as category
    from deliverable_classes
    where method = 'category'
),

deliverables as (
    select distinct
        coalesce(class_categories.category, '') as class_category,
        {{ unnest_list('events.deliverables') }} as deliverable
    from events
    left join class_categories
        on events.category = class_categories.category
),

-- text without any path in it was dropped there
read_deliverables as (
    select
        deliverables.class_category,
        deliverables.deliverable,
        paths.file_path,
        paths.base_name,
        paths.action,
        {{ ascii_lower('paths.file_path') }} as lower_path,
        {{ ascii_lower('paths.base_name') }} as lower_base_name
    from deliverables
    inner join paths
        on deliverables.deliverable = paths.deliverable
),

-- the rule with the lowest position decides
classified as (
    select
        read_deliverables.class_category,
        read_deliverables.deliverable,
        min(read_deliverables.file_path) as file_path,
        min(read_deliverables.base_name) as base_name,
        min(read_deliverables.action) as action,
        {{ value_of_largest('deliverable_classes.name', '-deliverable_classes.position') }}
            as deliverable_class
    from read_deliverables
    inner join deliverable_classes
        on
            {{ class_rule_holds(
                'deliverable_classes.method',
                'deliverable_classes.label',
                'read_deliverables.file_path',
                'read_deliverables.lower_path',
                'read_deliverables.lower_base_name',
                'read_deliverables.class_category',
            ) }}
    group by
        read_deliverables.class_category,
        read_deliverables.deliverable
),

documents as (
    select
        class_category,
        deliverable,
        {{ spaced_words('base_name') }} as words
    from classified
    where deliverable_class = 'doc'
),

features as (
    select
        documents.class_category,
        documents.deliverable,
        bool_or(document_features.name = 'api_reference') as asks_api_reference,
        bool_or(document_features.name = 'examples') as asks_examples,
        bool_or(document_features.name = 'usage_guide') as asks_usage_guide,
        bool_or(document_features.name = 'research') as asks_research
    from documents
    inner join document_features
        on position(document_features.phrase in documents.words) > 0
    group by
        documents.class_category,
        documents.deliverable
),

final as (
    select
        classified.class_category,
        classified.deliverable,
        classified.file_path,
        classified.deliverable_class,
        coalesce(classified.action, 'new') as action,
        classified.action is null as is_assumed_new,
        cast(token_weights.value as bigint) as marginal_tokens,
        classified.deliverable_class = 'doc' as is_document,
        history_files.label is not null as is_history_file,
        coalesce(features.asks_api_reference, false) as asks_api_reference,
        coalesce(features.asks_examples, false) as asks_examples,
        coalesce(features.asks_usage_guide, false) as asks_usage_guide,
        coalesce(features.asks_research, false) as asks_research,
        {{ is_hidden_path('classified.file_path') }} as is_hidden
    from classified
    inner join token_weights
        on
            classified.deliverable_class = token_weights.name
            and coalesce(classified.action, 'new') = token_weights.label
    left join history_files
        -- by the last word of the path
        on
            {{ ascii_lower(base_name("replace(classified.base_name, ' ', '/')")) }}
            = history_files.label
    left join features
        on
            classified.class_category = features.class_category
            and classified.deliverable = features.deliverable
)

select * from final
