with

events as (
    select
        event_id,
        source_name,
        coalesce(model, 'unknown') as model,
        coalesce({{ label_text('labels', 'version') }}, 'unknown') as version
    from {{ ref('int_events') }}
),

unusable as (
    select * from {{ ref('int_source_quality') }}
    where not is_usable
),

final as (
    select events.event_id
    from events
    inner join unusable
        on
            events.source_name = unusable.source_name
            and events.version = unusable.version
            and events.model = unusable.model
)

select * from final
