{{ config(
    materialized=follows_landing(),
    unique_key='week_start',
    pre_hook='{{ forget_changed_periods("week_start") }}',
    post_hook='{{ remember_landing() }}',
) }}

with

estimates as (
    select * from {{ ref('calls') }}
),

periods as (
    select * from {{ ref('int_periods') }}
),

new_weeks as (
    select
        week_start,
        content_key
    from periods
    where period_kind = 'week' {{ and_is_not_built('week_start') }}
),

placed as (
    select
        estimates.*,
        new_weeks.week_start,
        new_weeks.content_key
    from estimates
    inner join new_weeks
        on {{ week_start('estimates.occurred_at') }} = new_weeks.week_start
),

{{ period_accuracy('week_start') }}

select * from final
