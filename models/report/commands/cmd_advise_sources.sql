with

events as (
    select * from {{ ref('int_events') }}
),

source_advice as (
    select * from {{ ref('source_advice') }}
),

words as (
    select
        source_name,
        {{ stop_word_key('stop_reason') }} as stop_word,
        row_number() over (
            partition by source_name
            order by count(*) desc, {{ stop_word_key('stop_reason') }} asc
        ) as commonness
    from events
    where stop_class = 'unknown'
    group by source_name, {{ stop_word_key('stop_reason') }}
),

unknown_words as (
    select
        source_name,
        count(*) as n_unknown_words,
        max(case when commonness = 1 then stop_word end) as usual_unknown_word
    from words
    group by source_name
),

counted as (
    select
        source_name,
        count(*) as n,
        count(distinct source_file) as n_files,
        count(actual_max_tokens) as n_with_ceiling,
        count(case when actual_max_tokens is null then assumed_max_tokens end)
            as n_with_assumed_ceiling,
        count(case when {{ is_stop_known() }} then 1 end) as n_with_stop_word,
        sum(case when stop_class = 'unknown' then 1 else 0 end) as n_with_unknown_word,
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
        {{ ratio('n_with_stop_word + n_with_unknown_word', 'n') }} as stop_said_share
    from counted
),

advised as (
    {{ with_switch_on('shares', 'source_advice') }}
),

final as (
    select
        advised.source_name,
        cast(advised.n as bigint) as n,
        cast(advised.n_files as bigint) as n_files,
        cast(advised.n_with_ceiling as bigint) as n_with_ceiling,
        cast(advised.n_with_assumed_ceiling as bigint) as n_with_assumed_ceiling,
        cast(advised.n_with_stop_word as bigint) as n_with_stop_word,
        cast(advised.n_with_unknown_word as bigint) as n_with_unknown_word,
        unknown_words.usual_unknown_word,
        cast(unknown_words.n_unknown_words as bigint) as n_unknown_words,
        cast(advised.n_partial as bigint) as n_partial,
        cast(advised.n_known as bigint) as n_known,
        advised.first_seen,
        advised.last_seen,
        advised.switch_on,
        row_number() over (order by advised.n desc, advised.source_name asc) as row_no
    from advised
    left join unknown_words
        on advised.source_name = unknown_words.source_name
)

select * from final
