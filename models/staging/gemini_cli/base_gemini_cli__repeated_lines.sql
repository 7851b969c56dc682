{#- Which copy counts depends on all files of a session: the table is built anew as a whole. -#}
{{ config(materialized='table') }}

{% if not has_landed('gemini_cli') %}
{{ no_repeated_lines() }}
{% else %}
with

{{ gemini_cli_messages() }}

final as (
    select
        source_file,
        line_no,
        record_no,
        newest_landing_no as landing_no,
        event_id as event_key,
        run_id,
        phase_id,
        'duplicate' as verdict,
        cast(null as string) as line_text
    from messages
    where copy_no > 1
)

select * from final
{% endif %}
