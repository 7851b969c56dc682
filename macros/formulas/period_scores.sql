{#-
    The steps from `placed`, calls with their period, to `final`: one row per period and stratum of
    followed_slices(). The quantiles of a period are the engine's own: a period holds few calls, so
    that hardly two have the same values.
-#}
{% macro period_scores(period) %}
{%- set columns = label_columns().split(', ') + ['model'] -%}
events as (
    select
        run_id,
        {{ known_labels() }},
        {{ period }},
        content_key,
        predicted_output_tokens,
        replayed_output_tokens,
        actual_output_tokens,
        ceiling_tokens,
        assumed_new_count,
        is_truncated,
        is_success,
        is_clean,
        underestimated,
        replayed_underestimated,
        smape,
        replayed_smape,
        estimate_ratio,
        replayed_estimate_ratio,
        ceiling_ratio,
        occurred_at as first_seen,
        occurred_at as last_seen,
        abs(log_error) as abs_log_error,
        coalesce(model, 'unknown') as model,
        cast(1 as bigint) as n
    from placed
    where {{ is_analysed() }}
),

cells as (
    select
        run_id,
        {{ period }},
        content_key,
        {{ columns | join(', ') }},
        {{ accuracy_cell() }}
    from events
    group by run_id, {{ period }}, content_key, {{ columns | join(', ') }}
),

counted as (
    select
        {{ period }},
        content_key,
        {{ columns | join(', ') }},
        count(distinct run_id) as n_runs,
        {{ accuracy_counts() }}
    from cells
    {{ group_by_slices(followed_slices(), [period, 'content_key']) }}
),

ranked as (
    select
        {{ period }},
        {{ columns | join(', ') }},
        {{ engine_quantiles(accuracy_quantiles()) }}
    from events
    {{ group_by_slices(followed_slices(), [period]) }}
),

grouped as (
    select
        *,
        {{ slice_columns(columns) }}
    from counted
),

quantiles as (
    select
        *,
        {{ slice_columns(columns) }}
    from ranked
),

final as (
    select
        grouped.*,
        quantiles.{{ accuracy_quantiles().keys() | join(', quantiles.') }}
    from grouped
    inner join quantiles
        on
            grouped.{{ period }} = quantiles.{{ period }}
            and grouped.stratum_key = quantiles.stratum_key
)
{% endmacro %}
