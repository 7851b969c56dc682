{{ config(
    materialized=follows_landing(),
    unique_key='event_id',
    pre_hook='{{ forget_conflicts(["event_id"]) }}',
    post_hook='{{ remember_landing() }}',
) }}

{% if not has_landed('anthropic_batch') %}
{{ no_events() }}
{% else %}
with

{{ batch_calls('anthropic_batch', file_time=true) }}

{{ canonical_events('calls') }}

select * from final
{% endif %}
