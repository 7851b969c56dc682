with

files as (
    select * from {{ ref('files') }}
),

events as (
    select * from {{ ref('int_events') }}
),

accounts as (
    select
        {{ key_of([
            'source_file', 'lines', 'records', 'quarantined', 'landed_bytes',
        ]) }} as ledger_line,
        row_number() over (order by source_file asc) as line_position
    from files
),

ledger as (
    select {{ sha256_of_lines('ledger_line', 'line_position') }} as digest
    from accounts
),

newest as (
    select max(occurred_at) as newest_event
    from events
),

final as (
    select
        newest.newest_event,
        cast(1 as bigint) as row_no,
        left(ledger.digest, 16) as digest
    from ledger
    cross join newest
)

select * from final
