with

calls as (
    select * from {{ ref('calls') }}
),

counted as (
    select
        replay_basis,
        count(*) as n
    from calls
    group by replay_basis
),

final as (
    select
        *,
        row_number() over (order by n desc, replay_basis asc) as row_no
    from counted
)

select * from final
