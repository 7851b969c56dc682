{#- What each kind is read from, and which of its columns it fills. -#}
{% set rules = [
    ('action_word', 'action_words', ['name', 'label']),
    ('base_budget', 'base_budgets', ['category', 'complexity', 'value']),
    (
        'budget_buffer',
        'budget_buffers',
        ['position', 'name', 'category', 'complexity', 'threshold', 'value'],
    ),
    ('category_alias', 'category_aliases', ['name', 'label']),
    ('complexity_alias', 'complexity_aliases', ['name', 'label']),
    ('complexity_suffix', 'complexity_suffixes', ['name']),
    ('constant', 'estimator_constants', ['name', 'value']),
    ('deliverable_class', 'deliverable_classes', ['position', 'name', 'method', 'label']),
    ('document_feature', 'document_features', ['name', 'label', 'method']),
    ('file_size_factor', 'file_size_factors', ['name', 'position', 'threshold', 'value']),
    ('history_file', 'history_files', ['label']),
    ('model_limit', 'model_limits', ['model', 'name', 'value']),
    ('phase_overhead', 'phase_overheads', ['category', 'complexity', 'value']),
    ('stop_reason', 'stop_reasons', ['name', 'label']),
    ('token_weight', 'token_weights', ['name', 'label', 'value']),
] %}

with

{% for kind, seed, columns in rules %}
    {{ seed }} as (
        select * from {{ ref(seed) }}
    ),

{% endfor %}

calibration_multipliers as (
    select * from {{ ref('calibration_multipliers') }}
),

-- one multiplier a cell: of the estimator version that most calls were made with
ranked_multipliers as (
    select
        category,
        complexity,
        multiplier as value,
        n,
        confidence,
        method,
        row_number() over (
            partition by category, complexity
            order by n desc, estimator_version asc
        ) as choice
    from calibration_multipliers
    where
        method = '{{ var("exported_multiplier") }}'
        and passes_gates
        and category <> 'unknown'
        and complexity <> 'unknown'
),

multipliers as (
    select * from ranked_multipliers
    where choice = 1
),

unioned as (
    {% for kind, seed, columns in rules %}
        {{ coefficient_rows(kind, seed, columns) }}
        union all
    {% endfor %}
    {{ coefficient_rows(
        'multiplier',
        'multipliers',
        ['category', 'complexity', 'value', 'n', 'confidence', 'method'],
    ) }}
),

final as (
    select
        {{ coefficient_key() }} as coefficient_key,
        {{ coefficient_columns() | map(attribute='name') | join(', ') }}
    from unioned
)

select * from final
