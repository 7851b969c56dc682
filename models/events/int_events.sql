{% set columns = staged_columns() %}

with

events as (
    {{ united('stg', 'events', columns) }}
),

{% if is_read() %}
    completed_events as (
        select * from {{ ref('int_completed_events').include(database=is_guest()) }}
    ),
{% endif %}

files as (
    {{ one_event_a_call('events', columns) }}
),

final as (
    select * from files
    {% if has_events() %}
        union all
        select
            'relation' as source_name,
            {{ columns | join(',\n            ') }}
        from {{ ref('stg_relation__events').include(database=is_guest()) }}
    {% endif %}
)

select * from final
