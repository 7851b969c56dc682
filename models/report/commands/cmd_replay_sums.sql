{% set measures = ['mean_smape', 'median_smape', 'p50_estimate_ratio', 'underestimation_rate'] %}
with

-- both sides on the same calls, or the comparison says nothing
scores as (
    select * from {{ ref('scores') }}
    where
        slice = 'all'
        and period = 'all'
        and scope = 'comparable'
),

sides as (
    {% for prediction, prefix in [('recorded', ''), ('replayed', 'replayed_')] %}
        select
            '{{ prediction }}' as prediction,
            n,
            n_scored,
            {{ 'n_replayed_decided' if prefix else 'n_decided' }} as n_decided,
            {% for measure in measures %}
                {{ (prefix ~ measure ~ ' as ' if prefix) ~ measure }},
            {% endfor %}
            {{ 'assumed_new_count' if prefix else 'cast(0 as bigint)' }} as assumed_new_count
        from scores
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select
        *,
        row_number() over (order by prediction asc) as row_no
    from sides
)

select * from final
