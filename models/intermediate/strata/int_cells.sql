{% set columns = ['cell_key'] + slice_names().keys() | list + ['is_recent', 'is_comparable'] %}

with

counted_calls as (
    select * from {{ ref('int_counted_calls') }}
    where {{ is_analysed() }}
),

final as (
    select
        {{ columns | join(', ') }},
        {{ accuracy_cell() }}
    from counted_calls
    group by {{ columns | join(', ') }}
)

select * from final
