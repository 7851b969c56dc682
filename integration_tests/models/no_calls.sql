-- no table of calls: without a time, and the tokens are texts
select
    'call-1' as event_id,
    cast('12' as varchar) as actual_output_tokens,
    date '2026-03-01' as day
