with

{% for feature in run_features() %}
    stage_{{ loop.index }} as (
        select * from {{ ref('int_run_stage_' ~ loop.index) }}
    ),

{% endfor %}
stages as (
    {% for feature in run_features() %}
        select
            '{{ feature }}' as feature,
            top_label,
            stage_bin,
            max_truncation,
            max(n_event) as n_event,
            max(ln_factor) as ln_factor
        from stage_{{ loop.index }}
        where is_kept and n_event > 0
        group by top_label, stage_bin, max_truncation
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select
        {{ key_of(['feature', 'top_label', 'stage_bin', plain_number('max_truncation')]) }}
            as factor_key,
        feature,
        top_label,
        {{ top_label_object() }} as labels,
        stage_bin,
        max_truncation,
        cast(n_event as bigint) as n,
        ln_factor,
        exp(ln_factor) as factor
    from stages
)

select * from final
