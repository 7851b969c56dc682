-- Conservation: every file that the globs match has one state, and all bytes that were listed have
-- landed or wait; a file that grows meanwhile may have landed more.
with

listed as (
    select * from {{ ref('base_telemetry__files') }}
),

present as (
    select * from {{ ref('files') }}
    where is_present
)

select
    listed.source_file,
    present.file_path,
    present.state,
    listed.file_bytes,
    present.landed_bytes,
    present.in_flight_bytes
from listed
full outer join present
    on listed.source_file = present.file_path
where
    listed.source_file is null
    or present.file_path is null
    or (
        present.state in ('landed', 'growing', 'rotated')
        and listed.file_bytes > present.landed_bytes + present.in_flight_bytes
    )
