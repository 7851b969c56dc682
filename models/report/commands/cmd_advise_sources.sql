with

events as (
    select * from {{ ref('int_events') }}
),

source_advice as (
    select * from {{ ref('source_advice') }}
),

counted as (
    select
        source_name,
        count(*) as n,
        count(distinct source_file) as n_files,
        count(actual_max_tokens) as n_with_ceiling,
        count(assumed_max_tokens) as n_with_assumed_ceiling,
        sum(case when stop_class <> 'unrecorded' then 1 else 0 end) as n_with_stop_word,
        sum(
            case
                when {{ list_has_any('recorded_quality_flags', var('partial_usage_flags')) }} then 1
                else 0
            end
        ) as n_partial,
        count(is_truncated) as n_known,
        min(occurred_at) as first_seen,
        max(occurred_at) as last_seen
    from events
    group by source_name
),

-- as marts.source_quality says it by version and model
advised as (
    select
        counted.*,
        case when counted.n_partial > 0 then of_partial.switch_on end as for_counts,
        case when counted.n_with_ceiling < 0.5 * counted.n then of_ceiling.switch_on end
            as for_ceilings,
        case when counted.n_with_stop_word < 0.5 * counted.n then of_stop.switch_on end
            as for_stop_words
    from counted
    left join source_advice as of_partial
        on counted.source_name = of_partial.source_name and of_partial.lacks = 'count'
    left join source_advice as of_ceiling
        on counted.source_name = of_ceiling.source_name and of_ceiling.lacks = 'ceiling'
    left join source_advice as of_stop
        on counted.source_name = of_stop.source_name and of_stop.lacks = 'stop_word'
),

final as (
    select
        source_name,
        cast(n as bigint) as n,
        cast(n_files as bigint) as n_files,
        cast(n_with_ceiling as bigint) as n_with_ceiling,
        cast(n_with_assumed_ceiling as bigint) as n_with_assumed_ceiling,
        cast(n_with_stop_word as bigint) as n_with_stop_word,
        cast(n_partial as bigint) as n_partial,
        cast(n_known as bigint) as n_known,
        first_seen,
        last_seen,
        nullif(concat_ws('; ', for_counts, for_ceilings, for_stop_words), '') as switch_on,
        row_number() over (order by n desc, source_name asc) as row_no
    from advised
)

select * from final
