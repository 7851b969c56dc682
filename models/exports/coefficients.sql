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
    ('phase_overhead', 'phase_overheads', ['category', 'complexity', 'value']),
    ('stop_reason', 'stop_reasons', ['name', 'label']),
    ('token_weight', 'token_weights', ['name', 'label', 'value']),
] %}

{#- What the calibration adds, when there is telemetry to calibrate with. -#}
{% set multiplier_columns = ['category', 'complexity', 'value', 'n', 'confidence', 'method'] %}
{% set median_columns = ['labels', 'model', 'input_bin', 'value', 'n', 'confidence'] %}
{% set calibrated = [
    ('multiplier', 'exported_multipliers', multiplier_columns),
    ('multiplier_low', 'multipliers_low', multiplier_columns),
    ('multiplier_high', 'multipliers_high', multiplier_columns),
    (
        'budget',
        'budgets',
        [
            'labels', 'model', 'input_bin', 'max_truncation', 'label', 'value', 'n', 'confidence',
            'method',
        ],
    ),
    ('constant', 'runtime_constants', ['name', 'value']),
    ('median', 'medians', median_columns),
    ('median_high', 'medians_high', median_columns),
    ('median_low', 'medians_low', median_columns),
] %}

with

{% for kind, seed, columns in rules %}
    {{ seed }} as (
        select * from {{ ref(seed) }}
    ),

{% endfor %}

multipliers as (
    select * from {{ ref('multipliers') }}
),

budget_quantiles as (
    select * from {{ ref('int_budget_quantiles') }}
),

cell_medians as (
    select * from {{ ref('int_cell_medians') }}
),

learned_coefficients as (
    select * from {{ ref('learned_coefficients') }}
),

ranked_multipliers as (
    select
        category,
        complexity,
        multiplier as value,
        n,
        case when method = 'median_shrunk' then own_weight else confidence end as confidence,
        method,
        {{ within_bounds('range_low', 0.001, 100) }} as range_low,
        {{ within_bounds('range_high', 0.01, 1000) }} as range_high,
        row_number() over (order by n desc, category asc, complexity asc) as export_rank
    from multipliers
    where
        is_exported and max_truncation is null
        and {{ has_readable_labels(['category', 'complexity']) }}
),

exported_multipliers as (
    select * from ranked_multipliers
    where export_rank <= {{ var('max_exported_cells') }}
),

multipliers_low as (
    select
        category,
        complexity,
        range_low as value,
        n,
        confidence,
        method
    from exported_multipliers
    where range_low is not null
),

multipliers_high as (
    select
        category,
        complexity,
        range_high as value,
        n,
        confidence,
        method
    from exported_multipliers
    where range_high is not null
),

budgets as (
    select
        labels,
        model,
        input_bin,
        max_truncation,
        {{ within_bounds('budget_tokens', 1, 1e8) }} as value,
        n,
        own_cells_share as confidence,
        method,
        case when is_identified then 'identified' else 'at_least' end as label
    from budget_quantiles
    where is_exported and {{ has_readable_labels(['category', 'complexity', 'model']) }}
),

{% for name, column in [('', 'median_tokens'), ('_low', 'low_tokens'), ('_high', 'high_tokens')] %}
    medians{{ name }} as (
        select
            labels,
            model,
            input_bin,
            {{ within_bounds(column, 1, 1e8) }} as value,
            n_observed as n,
            own_weight as confidence
        from cell_medians
        where is_exported and {{ has_readable_labels(['category', 'complexity', 'model']) }}
    ),

{% endfor %}
-- what the runtime goes on with from the exported state
runtime_constants as (
    {% for name in [
        'online_calls', 'online_most', 'online_step', 'so_far_half_life', 'so_far_shrinkage',
        'window_share',
    ] %}
        select
            '{{ name }}' as name,
            {{ var(name) }} as value
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

unioned as (
    {% for kind, seed, columns in rules %}
        {{ coefficient_rows(kind, seed, columns) }}
        union all
    {% endfor %}
    {% for kind, relation, columns in calibrated %}
        {{ coefficient_rows(kind, relation, columns) }}
        union all
    {% endfor %}
    select * from learned_coefficients
),

final as (
    select
        {{ coefficient_key() }} as coefficient_key,
        {{ coefficient_columns() | map(attribute='name') | join(', ') }}
    from unioned
)

select * from final
