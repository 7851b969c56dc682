-- a table of calls of language models, as a warehouse has it
with

numbers as (
    select unnest(range(1, 601)) as call_no
)

select
    'call-' || call_no as event_id,
    timestamptz '2026-03-01 00:00:00+00' + to_hours(call_no) as occurred_at,
    'gpt-6' as model,
    case when call_no % 3 = 0 then 'north' else 'south' end as tenant,
    case when call_no % 2 = 0 then 'summary' else 'extraction' end as category,
    cast(200 + call_no % 50 as integer) as input_tokens,
    cast(1000 as integer) as actual_max_tokens,
    cast(least(1000, 100 + (call_no * 37) % 960) as integer) as actual_output_tokens,
    case when 100 + (call_no * 37) % 960 >= 1000 then 'length' else 'stop' end as stop_reason,
    'what nobody asked for' as prompt
from numbers
