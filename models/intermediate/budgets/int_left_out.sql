with

horizon as (
    select * from {{ ref('int_window') }}
),

demand as (
    select * from {{ ref('int_demand') }}
    where {{ is_until_as_of('occurred_at') }}
),

placed as (
    select
        demand.*,
        {{ is_in_window('demand.occurred_at', 'horizon.ends_at') }} as is_in_window
    from demand
    cross join horizon
),

counted as (
    select
        {{ label_columns() }},
        cast(null as string) as estimate_bin,
        cast(null as string) as model,
        cast(null as bigint) as input_bin,
        demand_state,
        excluded_reason,
        count(*) as n_calls,
        sum(case when is_in_window then 1 else 0 end) as n_in_window
    from placed
    group by {{ label_columns() }}, demand_state, excluded_reason
),

celled as (
    {% for level in range(label_level() + 1) %}
        select
            {{ level }} as cell_level,
            {{ demand_cell(level) }} as cell,
            {{ demand_level_columns(level) }},
            demand_state,
            excluded_reason,
            n_calls,
            n_in_window
        from counted
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select
        cast(cell_level as bigint) as cell_level,
        cell,
        {{ cell_label_columns() }},
        {{ label_object() }} as labels,
        {% for reason in left_out_reasons() %}
            cast(sum(case when excluded_reason = '{{ reason }}' then n_calls else 0 end) as bigint)
                as n_{{ reason }},
        {% endfor %}
        {% for state in ['observed', 'censored', 'excluded'] %}
            cast(sum(case when demand_state = '{{ state }}' then n_calls else 0 end) as bigint)
                as n_{{ state }},
        {% endfor %}
        cast(sum(n_calls) as bigint) as n_calls,
        {{ ratio(
            "sum(case when excluded_reason = 'starved' then n_in_window else 0 end)",
            "sum(case when demand_state <> 'excluded' or excluded_reason = 'starved'"
            ~ " then n_in_window else 0 end)",
        ) }} as starved_share
    from celled
    where cell is not null
    group by cell_level, cell, {{ cell_label_columns() }}
)

select * from final
