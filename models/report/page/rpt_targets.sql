with

cells as (
    select * from {{ ref('collection_plan') }}
),

collection_targets as (
    select * from {{ ref('collection_targets') }}
),

groups as (
    select
        category,
        complexity,
        sum(n_clean) as n_clean
    from cells
    group by category, complexity
),

collected as (
    select
        cast(coalesce(sum(n_clean), 0) as bigint) as samples,
        count(case when n_clean >= {{ var('min_samples') }} then 1 end) as group_count
    from groups
),

final as (
    select
        collection_targets.name as target_name,
        collected.samples,
        cast(collection_targets.samples as bigint) as target_samples,
        collected.group_count as groups_with_enough,
        cast(collection_targets.groups as bigint) as target_groups,
        collected.samples >= collection_targets.samples
        and collected.group_count >= collection_targets.groups as is_met,
        row_number() over (order by collection_targets.position asc) as row_no
    from collection_targets
    cross join collected
)

select * from final
