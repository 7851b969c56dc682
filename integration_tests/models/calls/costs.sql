select
    call_no,
    minutes * 2 as cost
from {{ ref('calls') }}
