with

alerts as (
    select * from {{ ref('alerts') }}
),

ranked as (
    select
        severity,
        rule_name,
        subject,
        figure,
        threshold,
        unit,
        n_breaches,
        n,
        first_seen,
        last_seen,
        action,
        is_open,
        event_id,
        row_number() over (
            order by
                is_open desc,
                severity asc,
                rule_name asc,
                figure desc nulls last,
                subject asc
        ) as row_no
    from alerts
),

final as (
    select *
    from ranked
    where is_open or row_no <= 100
)

select * from final
