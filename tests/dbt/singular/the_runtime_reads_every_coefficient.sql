-- The runtime reads 100,000 rows and refuses a longer table as a whole.
select count(*) as row_count
from {{ ref('coefficients') }}
having count(*) > 100000
