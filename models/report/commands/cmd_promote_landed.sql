with

line_accounting as (
    select * from {{ ref('line_accounting') }}
),

events as (
    select * from {{ ref('int_events') }}
),

accounts as (
    select
        {{ key_of(['source_file', 'lines', 'records', 'quarantined', 'landed_bytes']) }} as account,
        row_number() over (order by source_file asc) as account_position
    from line_accounting
),

ledger as (
    select {{ sha256_of_lines('account', 'account_position') }} as digest
    from accounts
),

newest as (
    select max(occurred_at) as newest_event
    from events
),

final as (
    select
        cast(1 as bigint) as row_no,
        left(ledger.digest, 16) as digest,
        newest.newest_event
    from ledger
    cross join newest
)

select * from final
