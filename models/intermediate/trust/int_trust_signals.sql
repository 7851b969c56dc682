{% set share = '1 - cast(' ~ var('target_truncation') ~ ' as double)' %}
with

calls as {{ inlined() }} (
    select * from {{ ref('calls') }}
    where {{ is_analysed() }} and {{ is_until_as_of('occurred_at') }}
),

lines as (
    select * from {{ ref('int_lines') }}
    where event_key is not null
),

repeated_lines as (
    select * from {{ ref('int_repeated_lines') }}
    where verdict = 'id_conflict'
),

clock as (
    select * from {{ ref('int_window') }}
),

conflicts as (
    select
        lines.source_name,
        count(*) as n_conflicts,
        max(lines.event_key) as event_id,
        min(lines.occurred_at) as first_seen,
        max(lines.occurred_at) as last_seen
    from lines
    inner join repeated_lines
        on
            lines.source_file = repeated_lines.source_file
            and lines.line_no = repeated_lines.line_no
            and lines.record_no = repeated_lines.record_no
    cross join clock
    where lines.occurred_at > {{ recent_from('clock.ends_at') }}
    group by lines.source_name
),

recorded as (
    select
        lines.source_name,
        count(*) as n_records
    from lines
    cross join clock
    where lines.occurred_at > {{ recent_from('clock.ends_at') }}
    group by lines.source_name
),

ended as (
    select
        coalesce(calls.category, 'unknown') as category,
        coalesce(calls.complexity, 'unknown') as complexity,
        {{ producer_of('calls.source_file') }} as producer,
        calls.actual_output_tokens,
        calls.occurred_at
    from calls
    cross join clock
    where
        not calls.is_truncated
        and calls.actual_output_tokens > 0
        and {{ is_in_window('calls.occurred_at', 'clock.ends_at') }}
),

-- of equally large ones the first by name
ranked_producers as (
    select
        category,
        complexity,
        producer,
        count(*) as n_calls,
        row_number() over (
            partition by category, complexity
            order by count(*) desc, producer asc
        ) as place
    from ended
    group by category, complexity, producer
),

largest as (
    select * from ranked_producers
    where place = 1
),

compared as (
    select
        ended.category,
        ended.complexity,
        largest.producer,
        largest.n_calls as n_largest,
        count(*) as n_calls,
        {{ list_item(quantiles('ended.actual_output_tokens', [share]), 1) }} as tokens_of_all,
        {{ list_item(quantiles(
            'case when ended.producer <> largest.producer then ended.actual_output_tokens end', [share]
        ), 1) }} as tokens_of_others,
        min(case when ended.producer = largest.producer then ended.occurred_at end) as first_seen,
        max(case when ended.producer = largest.producer then ended.occurred_at end) as last_seen
    from ended
    inner join largest
        on ended.category = largest.category and ended.complexity = largest.complexity
    group by ended.category, ended.complexity, largest.producer, largest.n_calls
),

final as (
    select
        'id_conflicts' as rule_name,
        conflicts.source_name as subject,
        cast(null as string) as category,
        cast(null as string) as complexity,
        {{ ratio('conflicts.n_conflicts', 'recorded.n_records') }} as figure,
        recorded.n_records as n,
        conflicts.n_conflicts as n_breaches,
        conflicts.event_id,
        conflicts.first_seen,
        conflicts.last_seen
    from conflicts
    inner join recorded
        on conflicts.source_name = recorded.source_name
    union all
    select
        'one_producer' as rule_name,
        {{ stratum_name(['category', 'complexity']) }} || ', ' || producer as subject,
        category,
        complexity,
        greatest(
            {{ ratio('tokens_of_all', 'tokens_of_others') }},
            {{ ratio('tokens_of_others', 'tokens_of_all') }}
        ) as figure,
        n_calls as n,
        n_largest as n_breaches,
        cast(null as string) as event_id,
        first_seen,
        last_seen
    from compared
    where {{ has_enough_events('n_calls - n_largest', var('target_truncation')) }}
)

select * from final
