with

events as (
    select * from {{ ref('int_events') }}
),

source_advice as (
    select * from {{ ref('source_advice') }}
),

-- the word that most of its calls end in, of those that the vocabulary does not have
unknown_words as (
    select
        source_name,
        stop_reason as unknown_stop_word,
        count(*) as n_with_this_word,
        sum(count(*)) over (partition by source_name) as n_with_unknown_word,
        row_number() over (
            partition by source_name order by count(*) desc, stop_reason asc
        ) as word_no
    from events
    where stop_class = 'unknown'
    group by source_name, stop_reason
),

counted as (
    select
        source_name,
        count(*) as n,
        count(distinct source_file) as n_files,
        count(actual_max_tokens) as n_with_ceiling,
        count(assumed_max_tokens) as n_with_assumed_ceiling,
        count(case when {{ is_stop_known() }} then 1 end) as n_with_stop_word,
        count(case when stop_class <> 'unrecorded' then 1 end) as n_stop_said,
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
        {{ ratio('n_stop_said', 'n') }} as stop_said_share
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
        unknown_words.unknown_stop_word,
        cast(coalesce(unknown_words.n_with_unknown_word, 0) as bigint) as n_with_unknown_word,
        cast(advised.n_partial as bigint) as n_partial,
        cast(advised.n_known as bigint) as n_known,
        advised.first_seen,
        advised.last_seen,
        advised.switch_on,
        row_number() over (order by advised.n desc, advised.source_name asc) as row_no
    from advised
    left join unknown_words
        on advised.source_name = unknown_words.source_name and unknown_words.word_no = 1
)

select * from final
