{#-
    A key of the newest landing is in the table once; `within` are the rows that land together, of one
    source. The keys of the landings before it were asked when they were new: to group all of ten
    million in each build takes eight times as long.
-#}
{% test new_keys_are_unique(model, column_name, within) %}
with

keys as {{ inlined() }} (
    select * from {{ model }}
),

newest as (
    select
        {{ within }} as landed_together,
        max(landing_no) as landing_no
    from keys
    group by {{ within }}
),

new_keys as {{ inlined() }} (
    select keys.{{ column_name }} as new_key
    from keys
    inner join newest
        on keys.{{ within }} = newest.landed_together and keys.landing_no = newest.landing_no
),

there_twice as (
    select new_key
    from new_keys
    group by new_key
    having count(*) > 1
),

there_before as (
    select keys.{{ column_name }} as new_key
    from keys
    inner join newest
        on keys.{{ within }} = newest.landed_together and keys.landing_no < newest.landing_no
    where keys.{{ column_name }} in (select new_keys.new_key from new_keys)
)

select new_key from there_twice
union all
select new_key from there_before
{% endtest %}
