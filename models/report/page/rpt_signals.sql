with

drift_signals as (
    select * from {{ ref('drift_signals') }}
),

ranked as (
    select
        category,
        signal_name,
        n_now,
        n_before,
        figure,
        figure_low,
        figure_high,
        threshold,
        verdict,
        row_number() over (order by verdict = 'ok' asc, category asc, signal_name asc) as row_no
    from drift_signals
),

final as (
    select *
    from ranked
    where row_no <= 40
)

select * from final
