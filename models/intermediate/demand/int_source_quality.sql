with

events as (
    select * from {{ ref('int_events') }}
),

described as (
    select
        *,
        {{ label_text('labels', 'version') }} as version,
        {{ is_counted_in_part() }} as is_partial
    from events
),

counted as (
    select
        source_name,
        coalesce(version, 'unknown') as version,
        coalesce(model, 'unknown') as model,
        count(*) as n_calls,
        count(case when is_partial then 1 end) as n_partial,
        count(actual_max_tokens) as n_ceiling_known,
        count(case when {{ is_stop_known() }} then 1 end) as n_stop_known,
        sum(case when stop_class <> 'unrecorded' then 1 else 0 end) as n_stop_said,
        count(is_truncated) as n_truncation_known
    from described
    group by source_name, coalesce(version, 'unknown'), coalesce(model, 'unknown')
),

final as (
    select
        *,
        {{ ratio('n_partial', 'n_calls') }} <= {{ var('max_partial_share') }} as is_usable
    from counted
)

select * from final
