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
        count(case when {{ is_stop_known() }} then 1 end) as n_with_stop_word,
        sum(case when {{ is_counted_in_part() }} then 1 else 0 end) as n_partial,
        count(is_truncated) as n_known,
        min(occurred_at) as first_seen,
        max(occurred_at) as last_seen
    from events
    group by source_name
),

shares as (
    select
        *,
        {{ ratio('n_partial', 'n') }} as partial_share,
        {{ ratio('n_with_ceiling', 'n') }} as ceiling_known_share,
        {{ ratio('n_with_stop_word', 'n') }} as stop_known_share
    from counted
),

advised as (
    {{ with_switch_on('shares', 'source_advice') }}
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
        switch_on,
        row_number() over (order by n desc, source_name asc) as row_no
    from advised
)

select * from final
