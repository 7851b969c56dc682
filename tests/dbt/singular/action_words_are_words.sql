-- The replay puts action words into a pattern, where any other character could mean something else.
select name
from {{ ref('action_words') }}
where not {{ regex_test('name', '^[a-z][a-z_-]*$') }}
