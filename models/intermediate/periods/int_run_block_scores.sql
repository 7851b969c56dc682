{{ config(
    materialized=follows_landing(),
    unique_key='run_block',
    pre_hook='{{ forget_changed_periods("run_block") }}',
    post_hook='{{ remember_landing() }}',
) }}

with

calls as (
    select *{{ further_label_columns('labels') }}
    from {{ ref('calls') }}
),

runs as (
    select * from {{ ref('int_runs') }}
),

periods as (
    select * from {{ ref('int_periods') }}
),

new_runs as (
    select
        runs.run_id,
        periods.run_block,
        periods.content_key
    from periods
    inner join runs
        on periods.run_block = runs.run_block
    where periods.period_kind = 'runs' {{ and_is_to_build('runs', 'periods.run_block') }}
),

placed as (
    select
        calls.*,
        new_runs.run_block,
        new_runs.content_key
    from calls
    inner join new_runs
        on calls.run_id = new_runs.run_id
),

-- grouping sets are unknown to sqlfluff
{{ period_scores('run_block') }}  -- noqa: PRS

select * from final
