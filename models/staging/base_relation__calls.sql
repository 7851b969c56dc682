{{ config(
    enabled=has_events(),
    materialized='view',
    post_hook='{{ name_left_out_rows(this) }}',
) }}

{% set relation = var('events', '') %}

with

{% if execute and flags.WHICH in ['build', 'run', 'show'] -%}
    {{ relation_calls(relation, relation_values(relation)) }}
{%- else -%}
    -- what the relation has is asked when it is read
    final as (
        {{ no_rows(call_types()) }}
    )
{%- endif %}

select * from final
