{#- Which line counts depends on all sessions of one root: the table is built anew as a whole. -#}
{{ config(materialized='table') }}

{% if not has_landed('codex') %}
{{ no_repeated_lines() }}
{% else %}
with

{{ codex_counts() }}

final as (
    select
        source_file,
        line_no,
        record_no,
        root_landing_no as landing_no,
        event_id as event_key,
        run_id,
        cast(null as string) as phase_id,
        'duplicate' as verdict,
        cast(null as string) as line_text
    from counts
    where copy_no > 1
)

select * from final
{% endif %}
