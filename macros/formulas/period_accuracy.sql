{#-
    The steps from `placed`, estimates with their period, to `final`: one row per period and
    category, and per period over all. The quantiles of a period are the engine's own: a period
    holds few events, so that hardly two have the same values.
-#}
{% macro period_accuracy(period) %}
{%- set stratifications = {'overall': [], 'category': ['category']} -%}
{%- set wanted = dict(accuracy_quantiles(), median_abs_log_error=('abs_log_error', 0.5)) -%}
events as (
    select
        run_id,
        occurred_at,
        actual_output_tokens,
        ceiling_tokens,
        is_truncated,
        is_success,
        is_clean,
        underestimated,
        smape,
        estimate_ratio,
        ceiling_ratio,
        {{ period }},
        content_key,
        abs(log_error) as abs_log_error,
        coalesce(category, 'unknown') as category,
        cast(1 as bigint) as n
    from placed
    where {{ is_analysed() }}
),

cells as (
    select
        run_id,
        category,
        {{ period }},
        content_key,
        min(occurred_at) as first_seen,
        max(occurred_at) as last_seen,
        {{ accuracy_cell() }}
    from events
    group by run_id, category, {{ period }}, content_key
),

grouped as (
    {% for stratification, columns in stratifications.items() %}
        select
            {{ period }},
            content_key,
            '{{ stratification }}' as stratification,
            {{ 'category' if columns else "'all'" }} as category,
            min(first_seen) as first_seen,
            max(last_seen) as last_seen,
            count(distinct run_id) as n_runs,
            {{ accuracy_counts() }}
        from cells
        {{ group_by_columns([period, 'content_key'] + columns) }}
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

final as (
    select
        grouped.*,
        quantiles.{{ wanted.keys() | join(', quantiles.') }}
    from grouped
    inner join quantiles
        on
            grouped.{{ period }} = quantiles.{{ period }}
            and grouped.stratification = quantiles.stratification
            and grouped.category = quantiles.category
)
{% endmacro %}
