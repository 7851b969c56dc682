{{ config(enabled=is_read('tokenest')) }}

with

lines as (
    select * from {{ ref('base_tokenest__lines') }}
),

repeated_lines as (
    select * from {{ ref('base_tokenest__repeated_lines') }}
),

category_aliases as (
    select * from {{ ref('category_aliases') }}
),

accepted as (
    select
        lines.*,
        lines.exit_code is null as is_timeout,
        coalesce(lines.truncated, false) as is_truncated,
        {{ vocabulary_key('lines.category') }} as category_key
    from lines
    left join repeated_lines
        on
            lines.source_file = repeated_lines.source_file
            and lines.line_no = repeated_lines.line_no
            and lines.record_no = repeated_lines.record_no
    where
        lines.record_type = 'attempt'
        and lines.event_key is not null
        and repeated_lines.verdict is null
),

final as (
    select
        accepted.event_key as attempt_id,
        accepted.occurred_at,
        accepted.run_id,
        accepted.phase_id,
        accepted.attempt,
        accepted.session_id,
        accepted.complexity,
        accepted.deliverable_count,
        accepted.selected_budget,
        accepted.success as is_success,
        accepted.is_timeout,
        accepted.is_truncated,
        accepted.exit_code,
        accepted.duration_seconds,
        accepted.events,
        accepted.failure_pattern,
        accepted.fingerprint,
        accepted.run_verdict,
        accepted.source_file,
        accepted.line_no,
        coalesce(category_aliases.label, accepted.category_key) as category,
        case when accepted.events = 0 then coalesce(accepted.zero_yield_reason, 'unknown') end
            as zero_yield_reason
    from accepted
    left join category_aliases
        on accepted.category_key = category_aliases.name
)

select * from final
