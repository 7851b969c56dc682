{{ config(
    materialized=follows_landing(),
    unique_key='deliverable',
    post_hook='{{ remember_landing() }}',
) }}

with

events as (
    select * from {{ ref('int_events') }}
    {{ since_last_landing() }}
),

action_words as (
    select * from {{ ref('action_words') }}
),

listed as (
    select {{ unnest_list('deliverables') }} as listed_text
    from events
),

-- the few distinct texts, not every deliverable of every event: min() keeps DuckDB from asking
-- what follows of every one of them
deliverables as (
    select min(listed_text) as deliverable
    from listed
    group by listed_text
),

phrases as (
    select
        deliverable,
        {{ trimmed(deliverable_phrase(stripped('deliverable')), ' ') }} as phrase
    from deliverables
    where {{ stripped('deliverable') }} <> ''
),

marked as (
    select
        deliverable,
        phrase,
        position(' ' in phrase) > 0 as is_phrase,
        {{ regex_replace_all('phrase', path_pattern('note'), '') }} as bare
    from phrases
),

candidates as (
    select
        deliverable,
        phrase,
        bare,
        is_phrase,
        case when is_phrase then {{ regex_first('phrase', path_pattern('quoted')) }} end as quoted,
        case when is_phrase then {{ regex_first('bare', path_pattern('spaced')) }} end as spaced
    from marked
),

paths as (
    select
        deliverable,
        phrase,
        is_phrase,
        bare,
        case
            when not is_phrase then phrase
            else
                coalesce(
                    nullif(quoted, ''),
                    case
                        when not {{ regex_test('spaced', path_pattern('joined')) }}
                            then nullif(spaced, '')
                    end,
                    nullif({{ regex_first('bare', path_pattern('slash_extension')) }}, ''),
                    nullif({{ regex_first('bare', path_pattern('name_extension')) }}, ''),
                    nullif({{ regex_first('bare', path_pattern('slash')) }}, '')
                )
        end as found_path
    from candidates
),

-- a phrase without a path: what follows the words that lead in ("Create new file: Dockerfile")
lead_ins as (
    select
        '^((?:(?:' || coalesce(replace({{ joined_text('name') }}, ', ', '|') || '|', '')
        || 'file):? +)+)' as pattern
    from action_words
),

chosen as (
    select
        paths.deliverable,
        paths.phrase,
        paths.is_phrase,
        coalesce(
            paths.found_path,
            substring(
                paths.bare,
                1 + length({{ regex_first_by(ascii_lower('paths.bare'), 'lead_ins.pattern') }})
            )
        ) as file_path
    from paths
    cross join lead_ins
),

words as (
    select
        deliverable,
        {{ marked_words("replace(phrase, file_path, ' ')") }} as marked_text
    from chosen
    where is_phrase and file_path <> phrase
),

-- the first word outside the path that says whether the deliverable is new
said as (
    select
        words.deliverable,
        {{ value_of_largest(
            'action_words.label',
            '-position(chr(1) || action_words.name || chr(2) in words.marked_text)',
        ) }} as action
    from words
    inner join action_words
        on position(chr(1) || action_words.name || chr(2) in words.marked_text) > 0
    group by words.deliverable
),

cleaned as (
    select
        chosen.deliverable,
        said.action,
        {{ clean_path(deliverable_phrase('chosen.file_path')) }} as file_path
    from chosen
    left join said
        on chosen.deliverable = said.deliverable
),

final as (
    select
        deliverable,
        file_path,
        {{ base_name('file_path') }} as base_name,
        action
    from cleaned
)

select * from final
