{#-
    Within each group the numbers are 1 to the largest, none missing and none twice: as many as the
    largest, with the sum of hashes of 1 to there. So (group, number) is a key, and that is found
    without grouping ten million of them.
-#}
{% test counts_from_one(model, within, number) %}
with

numbers as (
    select distinct {{ number }} as largest
    from {{ model }}
),

expected as (
    select
        largest,
        count(*) over (order by largest asc) as n_numbers,
        sum({{ key_hash('largest') }}) over (order by largest asc) as sum_of_hashes
    from numbers
),

found as (
    select
        {{ within }},
        count(*) as n_numbers,
        max({{ number }}) as largest,
        sum({{ key_hash(number) }}) as sum_of_hashes
    from {{ model }}
    group by {{ within }}
)

select
    found.{{ within }},
    found.largest,
    found.n_numbers
from found
left join expected
    on found.largest = expected.largest
where
    found.n_numbers is distinct from found.largest
    or expected.n_numbers is distinct from found.largest
    or expected.sum_of_hashes is distinct from found.sum_of_hashes
{% endtest %}
