{#-
    The steps from `events` to `periods`, one row per period and category, and per period over all:
    `period` is the column of events that says in which they count. The quantiles of a period are
    the engine's own: a period holds few events, so that hardly two have the same values.
-#}
{% macro period_accuracy(period) %}
{%- set stratifications = {'overall': [], 'category': ['category']} -%}
{%- set wanted = dict(accuracy_quantiles(), median_abs_log_error=('abs_log_error', 0.5)) -%}
cells as (
    select
        run_id,
        category,
        {{ period }},
        min(occurred_at) as first_seen,
        max(occurred_at) as last_seen,
        {{ accuracy_cell() }}
    from events
    group by run_id, category, {{ period }}
),

grouped as (
    {% for stratification, columns in stratifications.items() %}
        select
            {{ period }},
            '{{ stratification }}' as stratification,
            {{ 'category' if columns else "'all'" }} as category,
            min(first_seen) as first_seen,
            max(last_seen) as last_seen,
            count(distinct run_id) as n_runs,
            {{ accuracy_counts() }}
        from cells
        {{ group_by_columns([period] + columns) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

quantiles as (
    {% for stratification, columns in stratifications.items() %}
        select
            {{ period }},
            '{{ stratification }}' as stratification,
            {{ 'category' if columns else "'all'" }} as category,
            {{ engine_quantiles(wanted) }}
        from events
        {{ group_by_columns([period] + columns) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

periods as (
    select
        grouped.*,
        dense_rank() over (order by grouped.{{ period }} asc) as period_no,
        quantiles.{{ wanted.keys() | join(', quantiles.') }}
    from grouped
    inner join quantiles
        on
            grouped.{{ period }} = quantiles.{{ period }}
            and grouped.stratification = quantiles.stratification
            and grouped.category = quantiles.category
)
{% endmacro %}
