{#-
    A key of the newest landing is in the table once. The keys of the landings before it were asked
    when they were new: to group all of ten million in each build takes eight times as long.
-#}
{% test new_keys_are_unique(model, column_name) %}
with

newest as (
    select max(landing_no) as landing_no
    from {{ model }}
),

new_keys as {{ inlined() }} (
    select {{ column_name }} as new_key
    from {{ model }}
    where landing_no = (select newest.landing_no from newest)
),

there_twice as (
    select new_key
    from new_keys
    group by new_key
    having count(*) > 1
),

there_before as (
    select {{ column_name }} as new_key
    from {{ model }}
    where
        landing_no < (select newest.landing_no from newest)
        and {{ column_name }} in (select new_keys.new_key from new_keys)
)

select new_key from there_twice
union all
select new_key from there_before
{% endtest %}
