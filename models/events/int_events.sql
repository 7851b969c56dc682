{% set columns = staged_columns() %}

with

events as (
    {{ united('stg', 'events', columns) }}
),

completed_events as (
    select * from {{ ref('int_completed_events').include(database=false) }}
),

final as (
    {{ one_event_a_call('events', columns) }}
)

select * from final
