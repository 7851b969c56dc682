{#- What each kind is read from, and which of its columns it fills. -#}
{% set learned = [
    ('answer_length', 'answer_lengths', ['model', 'value']),
    ('online_rate', 'exported_rates', ['labels', 'model', 'max_truncation', 'value', 'n']),
    (
        'run_factor',
        'exported_run_factors',
        ['name', 'labels', 'position', 'max_truncation', 'value', 'n'],
    ),
    ('so_far', 'exported_so_far', ['labels', 'model', 'value', 'n']),
    (
        'so_far_quantile',
        'exported_so_far_quantiles',
        ['name', 'labels', 'position', 'max_truncation', 'label', 'value', 'n'],
    ),
] %}

with

online_rates as (
    select * from {{ ref('int_online_rates') }}
),

so_far as (
    select * from {{ ref('int_so_far') }}
),

so_far_quantiles as (
    select * from {{ ref('int_so_far_quantiles') }}
),

run_factors as (
    select * from {{ ref('int_run_factors') }}
),

exported_rates as (
    select
        labels,
        model,
        max_truncation,
        ln_factor as value,
        n_calls as n
    from online_rates
    where is_used and {{ has_readable_labels(['top_label', 'model']) }}
),

answer_lengths as (
    select
        name as model,
        {{ within_bounds('answer_tokens', 1, 1e8) }} as value
    from so_far
    where
        is_exported and answer_tokens is not null
        and {{ has_readable_labels(['name']) }}
),

-- of a label, or of a model over all of them
exported_so_far as (
    select
        case when subject = 'label' then {{ top_label_object('name') }} else '{}' end as labels,
        case when subject = 'model' then name end as model,
        {{ within_bounds('ln_effect', -20, 20) }} as value,
        cast({{ rounded('n_known') }} as bigint) as n
    from so_far
    where is_exported and {{ has_readable_labels(['name']) }}
),

exported_so_far_quantiles as (
    select
        so_far_quantiles.subject as name,
        so_far_quantiles.labels,
        so_far_quantiles.known_bin as position,
        so_far_quantiles.max_truncation,
        {{ within_bounds('so_far_quantiles.ln_factor', -20, 20) }} as value,
        so_far_quantiles.n,
        case when so_far_quantiles.is_identified then 'identified' else 'at_least' end as label
    from so_far_quantiles
    left join so_far
        on
            so_far.subject = 'label'
            and so_far_quantiles.top_label = so_far.name
    where
        (so_far_quantiles.top_label is null or so_far.is_exported)
        and {{ has_readable_labels(['so_far_quantiles.top_label']) }}
),

exported_run_factors as (
    select
        run_factors.feature as name,
        run_factors.labels,
        run_factors.stage_bin as position,
        run_factors.max_truncation,
        {{ within_bounds('run_factors.ln_factor', -20, 20) }} as value,
        run_factors.n
    from run_factors
    left join so_far
        on
            so_far.subject = 'label'
            and run_factors.top_label = so_far.name
    where
        (run_factors.top_label is null or so_far.is_exported)
        and {{ has_readable_labels(['run_factors.top_label']) }}
),

unioned as (
    {% for kind, relation, columns in learned %}
        {{ coefficient_rows(kind, relation, columns) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select * from unioned
)

select * from final
