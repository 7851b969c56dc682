-- calls of the help desk, by telephone
select
    id as call_no,
    amount as minutes
from {{ ref('lake') }}
