with

phases as (
    select * from {{ ref('base_origin__phases') }}
),

failure_patterns as (
    select * from {{ ref('failure_patterns') }}
),

category_aliases as (
    select * from {{ ref('category_aliases') }}
),

complexity_aliases as (
    select * from {{ ref('complexity_aliases') }}
),

events as (
    select * from {{ ref('int_events') }}
),

landed as (
    select
        run_id,
        phase_id,
        count(*) as n_events
    from events
    group by run_id, phase_id
),

keyed as (
    select
        *,
        {{ key_of(['run_id', 'phase_id']) }} as phase_key,
        {{ vocabulary_key('task_category') }} as category_key,
        {{ vocabulary_key('complexity') }} as complexity_key,
        trim({{ regex_replace_all('lower(last_failure_reason)', '[^a-z0-9]+', ' ') }})
            as plain_reason
    from phases
),

-- the first pattern that a text holds names it, as tokenest drain does
matched as (
    select
        keyed.phase_key,
        failure_patterns.name,
        row_number() over (
            partition by keyed.phase_key order by failure_patterns.position asc
        ) as match_no
    from keyed
    inner join failure_patterns
        on {{ regex_test_by('keyed.plain_reason', 'failure_patterns.pattern') }}
),

final as (
    select
        keyed.phase_key,
        keyed.run_id,
        keyed.phase_id,
        keyed.phase_index as phase_no,
        keyed.builder_attempts as n_attempts,
        keyed.tokens_used as n_tokens,
        cast(keyed.created_at as timestamp) as queued_at,
        lower(keyed.state) as state,
        coalesce(category_aliases.label, keyed.category_key, 'unknown') as category,
        coalesce(complexity_aliases.label, keyed.complexity_key, 'unknown') as complexity,
        coalesce(landed.n_events, 0) as n_events,
        case
            when keyed.last_failure_reason is null then 'no reason recorded'
            else coalesce(matched.name, 'unknown')
        end as blocker
    from keyed
    left join matched
        on keyed.phase_key = matched.phase_key and matched.match_no = 1
    left join landed
        on
            keyed.run_id = landed.run_id
            and keyed.phase_id = landed.phase_id
    left join category_aliases
        on keyed.category_key = category_aliases.name
    left join complexity_aliases
        on keyed.complexity_key = complexity_aliases.name
)

select * from final
