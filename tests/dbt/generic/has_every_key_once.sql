{#-
    The keys of the column are those of another model's key, all of them, each once: they are as
    many, and have the same sum of 64-bit hashes. Grouping ten million keys to find a double takes
    six times as long, and would not see that one is missing.
-#}
{% test has_every_key_once(model, column_name, to, field) %}
with

found as (
    select
        count(*) as n_keys,
        sum({{ key_hash(column_name) }}) as sum_of_hashes
    from {{ model }}
),

expected as (
    select
        count(*) as n_keys,
        sum({{ key_hash(field) }}) as sum_of_hashes
    from {{ to }}
)

select
    found.n_keys,
    expected.n_keys as n_expected
from found
cross join expected
where
    found.n_keys <> expected.n_keys
    or found.sum_of_hashes is distinct from expected.sum_of_hashes
{% endtest %}
