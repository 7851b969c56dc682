{{ config(
    materialized=follows_landing(),
    unique_key='event_id',
    pre_hook='{{ forget_conflicts(["event_id"]) }}',
    post_hook='{{ remember_landing() }}',
) }}

{% if not has_landed('origin') %}
{{ no_events() }}
{% else %}
with

calls as {{ inlined() }} (
    {{ accepted_calls('origin') }}
),

{{ canonical_events('calls') }}

select * from final
{% endif %}
