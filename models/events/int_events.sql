{% set columns = staged_columns() %}
{% set names = columns | join(',\n        ') %}

with

{% if is_read() -%}
events as (
    {{ united('stg', 'events', columns) }}
),

completed_events as (
    select * from {{ ref('int_completed_events').include(database=is_guest()) }}
),

files as (
    {{ one_event_a_call('events', columns) }}
),
{%- else -%}
files as (
    {{ no_rows(dict({'source_name': 'text'}, **columns)) }}
),
{%- endif %}

final as (
    select * from files
    {% if has_events() %}
    union all
    select
        'relation' as source_name,
        {{ names }}
    from {{ ref('stg_relation__events').include(database=is_guest()) }}
    {% endif %}
)

select * from final
