-- five rows of which two are calls, in the types and spellings of a warehouse
select
    'a' as "Event_ID",
    timestamptz '2026-03-01 14:00:00+02' as occurred_at,
    cast(120.0 as decimal(10, 2)) as actual_output_tokens,
    'acme, inc.' as tenant,
    '["src/a.py", "src/b.py"]' as deliverables
union all
select 'a', timestamptz '2026-03-01 15:00:00+02', 130, 'north', null
union all
select 'b', null, 140, 'north', null
union all
select 'c', timestamptz '2026-03-01 16:00:00+02', -1, 'north', null
union all
select null, timestamptz '2026-03-01 17:00:00+02', 150, null, null
