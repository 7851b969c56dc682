{{ config(
    materialized=follows_landing(),
    unique_key='week_start',
    pre_hook='{{ forget_changed_periods("week_start") }}',
    post_hook='{{ remember_landing() }}',
) }}

with

calls as (
    select *{{ further_label_columns('labels') }}
    from {{ ref('calls') }}
),

periods as (
    select * from {{ ref('int_periods') }}
),

new_weeks as (
    select
        week_start,
        content_key
    from periods
    where period_kind = 'week' {{ and_is_to_build('week', 'week_start') }}
),

placed as (
    select
        calls.*,
        new_weeks.content_key
    from calls
    inner join new_weeks
        on calls.week_start = new_weeks.week_start
),

-- grouping sets are unknown to sqlfluff
{{ period_scores('week_start') }}  -- noqa: PRS

select * from final
