with

acceptance_scorecards as (
    select * from {{ ref('acceptance_scorecards') }}
),

final as (
    select
        document,
        criterion,
        target,
        value,
        status,
        row_number() over (order by document asc, criterion_no asc) as row_no
    from acceptance_scorecards
)

select * from final
