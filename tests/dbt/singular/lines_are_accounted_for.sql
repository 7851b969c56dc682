-- Conservation: every line of every file is an event, a duplicate, in quarantine, or blank.
-- Counted twice, from two sides: the number of the last line, and the verdicts one by one.
select
    source_file,
    lines,
    accepted,
    duplicate,
    quarantined,
    blank
from {{ ref('line_accounting') }}
where
    lines <> accepted + duplicate + quarantined + blank
    or accepted < 0
