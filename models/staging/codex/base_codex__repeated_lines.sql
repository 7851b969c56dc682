{#- Which line counts depends on all sessions of one root: the table is built anew as a whole. -#}
{{ config(materialized='table') }}

with

{{ codex_counts() }}

{{ later_copies('codex', 'counts', 'root_landing_no') }}

select * from final
