{{ config(materialized='table') }}

with

calls as (
    select * from {{ ref('base_relation__calls') }}
    where left_out is null
),

{{ canonical_events('calls') }}

select * from final
