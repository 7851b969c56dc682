-- Conservation: every line of every file is an event, a duplicate, in quarantine,
-- blank, or tells no call (other).
-- Counted twice, from two sides: the number of the last line, and the verdicts one by one.
select
    source_file,
    lines,
    accepted,
    duplicate,
    quarantined,
    blank,
    other
from {{ ref('files') }}
where
    lines <> accepted + duplicate + quarantined + blank + other
    or accepted < 0
