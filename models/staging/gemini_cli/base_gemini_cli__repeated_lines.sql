{#- Which copy counts depends on all files of a session: the table is built anew as a whole. -#}
{{ config(materialized='table') }}

with

{{ gemini_cli_messages() }}

{{ later_copies('gemini_cli', 'messages', 'newest_landing_no', 'phase_id') }}

select * from final
