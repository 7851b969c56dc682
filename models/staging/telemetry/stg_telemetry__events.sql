{{ config(
    materialized=follows_landing(),
    unique_key='event_id',
    pre_hook='{{ forget_conflicts(["event_id"]) }}',
    post_hook='{{ remember_landing() }}',
) }}

with

lines as {{ inlined() }} (
    select * from {{ ref('base_telemetry__lines') }}
    {{ since_last_landing() }}
),

repeated_lines as (
    select * from {{ ref('base_telemetry__repeated_lines') }}
),

category_aliases as (
    select * from {{ ref('category_aliases') }}
),

complexity_aliases as (
    select * from {{ ref('complexity_aliases') }}
),

complexity_suffixes as (
    select * from {{ ref('complexity_suffixes') }}
),

stop_reasons as (
    select * from {{ ref('stop_reasons') }}
),

accepted as (
    select
        lines.*,
        {{ vocabulary_key('lines.category') }} as category_key,
        {{ vocabulary_key('lines.complexity') }} as complexity_key,
        {{ vocabulary_key('lines.stop_reason') }} as stop_reason_key
    from lines
    left join repeated_lines
        on
            lines.source_file = repeated_lines.source_file
            and lines.line_no = repeated_lines.line_no
    where
        lines.event_key is not null
        and repeated_lines.verdict is null
        and coalesce(lines.record_type, 'event') = 'event'
),

-- low_complexity, high-level: the few distinct spellings, not every event
complexity_spellings as (
    select distinct {{ vocabulary_key('complexity') }} as complexity_key
    from lines
    where complexity is not null
),

complexities as (
    select
        spellings.complexity_key,
        min(
            case
                when right(spellings.complexity_key, length(suffixes.name)) = suffixes.name
                    then
                        left(
                            spellings.complexity_key,
                            length(spellings.complexity_key) - length(suffixes.name)
                        )
            end
        ) as stem
    from complexity_spellings as spellings
    cross join complexity_suffixes as suffixes
    group by spellings.complexity_key
),

canonical_complexities as (
    select
        complexities.complexity_key,
        coalesce(complexity_aliases.label, complexities.complexity_key) as complexity
    from complexities
    left join complexity_aliases
        on coalesce(complexities.stem, complexities.complexity_key) = complexity_aliases.name
),

canonical as (
    select
        accepted.event_key as event_id,
        accepted.has_event_id,
        accepted.occurred_at,
        accepted.run_id,
        accepted.phase_id,
        accepted.attempt,
        coalesce(category_aliases.label, accepted.category_key) as category,
        complexities.complexity,
        accepted.category as recorded_category,
        accepted.complexity as recorded_complexity,
        accepted.deliverables,
        coalesce(accepted.deliverable_count, {{ list_size('accepted.deliverables') }})
            as deliverable_count,
        accepted.breakdown,
        accepted.provider,
        accepted.model,
        accepted.input_tokens,
        accepted.coefficients_id,
        accepted.estimator_version,
        accepted.predicted_output_tokens,
        accepted.selected_budget,
        accepted.actual_max_tokens,
        accepted.actual_output_tokens,
        accepted.reasoning_tokens,
        accepted.stop_reason,
        case
            when accepted.stop_reason is null then 'unrecorded'
            else coalesce(stop_reasons.label, 'unknown')
        end as stop_class,
        accepted.truncated as recorded_truncated,
        coalesce(accepted.actual_output_tokens >= accepted.actual_max_tokens, false)
            as reached_ceiling,
        accepted.success as is_success,
        coalesce(accepted.is_control, false) as is_control,
        accepted.quality_flags as recorded_quality_flags,
        accepted.smape_percent as recorded_smape,
        accepted.waste_ratio as recorded_estimate_ratio,
        accepted.underestimated as recorded_underestimated,
        accepted.source_file,
        accepted.line_no,
        accepted.landing_no
    from accepted
    left join category_aliases
        on accepted.category_key = category_aliases.name
    left join canonical_complexities as complexities
        on accepted.complexity_key = complexities.complexity_key
    left join stop_reasons
        on accepted.stop_reason_key = stop_reasons.name
),

-- what says that the answer was cut off, the strongest evidence first
final as (
    select
        *,
        case
            when stop_class in ('truncated', 'context_window') then 'stop_reason'
            when recorded_truncated then 'recorded'
            when reached_ceiling then 'inferred'
        end as truncation_evidence,
        case
            when stop_class in ('truncated', 'context_window') then true
            when recorded_truncated or reached_ceiling then true
            when stop_class = 'unknown' then cast(null as boolean)
            else false
        end as is_truncated
    from canonical
)

select * from final
