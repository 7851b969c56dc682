{{ config(
    materialized=follows_landing(),
    unique_key='event_id',
    pre_hook='{{ forget_conflicts(["event_id"]) }}',
    post_hook='{{ remember_landing() }}',
) }}

{% if not has_landed('vertex_batch') %}
{{ no_events() }}
{% else %}
with

accepted as (
    {{ accepted_calls('vertex_batch') }}
),

calls as (
    select
        {{ call_columns('accepted', {
            'success': 'true',
        }) }}
    from accepted
),

{{ canonical_events('calls') }}

select * from final
{% endif %}
