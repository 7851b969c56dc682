with

cells as (
    select * from {{ ref('coverage_gaps') }}
),

groups as (
    select
        category,
        complexity,
        sum(n_clean) as n_clean
    from cells
    group by category, complexity
),

collection_targets as (
    select * from {{ ref('collection_targets') }}
),

collected as (
    select
        coalesce(sum(n_clean), 0) as samples,
        count(case when n_clean >= {{ var('min_samples') }} then 1 end) as group_count
    from groups
),

final as (
    select
        collection_targets.name as target_name,
        cast(collection_targets.position as bigint) as target_no,
        cast(collected.samples as bigint) as samples,
        cast(collection_targets.samples as bigint) as target_samples,
        cast(greatest(collection_targets.samples - collected.samples, 0) as bigint)
            as needed_samples,
        collected.group_count as groups_with_enough,
        cast(collection_targets.groups as bigint) as target_groups,
        cast(greatest(collection_targets.groups - collected.group_count, 0) as bigint)
            as needed_groups,
        collected.samples >= collection_targets.samples
        and collected.group_count >= collection_targets.groups as is_met
    from collection_targets
    cross join collected
)

select * from final
