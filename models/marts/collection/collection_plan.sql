with

estimates as (
    select * from {{ ref('calls') }}
),

category_aliases as (
    select * from {{ ref('category_aliases') }}
),

complexity_aliases as (
    select * from {{ ref('complexity_aliases') }}
),

deliverable_buckets as (
    select * from {{ ref('deliverable_buckets') }}
),

collection_targets as (
    select
        max(case when position = 1 then samples end) as minimum_samples,
        max(case when position = 2 then samples end) as production_samples,
        max(case when position = 3 then samples end) as optimal_samples
    from {{ ref('collection_targets') }}
),

required_mixes as (
    select * from {{ ref('required_mixes') }}
),

observed as (
    select
        deliverable_bucket,
        coalesce(category, 'unknown') as category,
        coalesce(complexity, 'unknown') as complexity,
        count(*) as n,
        count(case when is_clean then 1 end) as n_clean,
        count(case when is_truncated then 1 end) as n_truncated
    from estimates
    where {{ is_analysed() }}
    group by
        coalesce(category, 'unknown'), coalesce(complexity, 'unknown'), deliverable_bucket
),

categories as (
    select distinct label as category from category_aliases
),

complexities as (
    select distinct label as complexity from complexity_aliases
),

grid as (
    select
        categories.category,
        complexities.complexity,
        deliverable_buckets.name as deliverable_bucket,
        deliverable_buckets.size,
        deliverable_buckets.position
    from categories
    cross join complexities
    cross join deliverable_buckets
),

-- every cell of the vocabulary, and whatever else occurs
cells as (
    select
        grid.size,
        grid.position,
        coalesce(grid.category, observed.category) as category,
        coalesce(grid.complexity, observed.complexity) as complexity,
        coalesce(grid.deliverable_bucket, observed.deliverable_bucket) as deliverable_bucket,
        grid.category is not null as is_in_vocabulary,
        coalesce(observed.n, 0) as n,
        coalesce(observed.n_clean, 0) as n_clean,
        coalesce(observed.n_truncated, 0) as n_truncated
    from grid
    full outer join observed
        on
            grid.category = observed.category
            and grid.complexity = observed.complexity
            and grid.deliverable_bucket = observed.deliverable_bucket
),

margins as (
    select
        *,
        sum(n_clean) over (partition by category) as category_clean,
        sum(n_clean) over (partition by complexity) as complexity_clean,
        sum(n_clean) over (partition by deliverable_bucket) as bucket_clean,
        sum(n_clean) over (partition by size) as size_clean
    from cells
),

-- values of the required mix that no clean call has yet
wanted as (
    select
        margins.category,
        margins.complexity,
        margins.deliverable_bucket,
        count(
            case
                when
                    required_mixes.dimension = 'category'
                    and required_mixes.name = margins.category
                    and margins.category_clean = 0
                    then 1
                when
                    required_mixes.dimension = 'complexity'
                    and required_mixes.name = margins.complexity
                    and margins.complexity_clean = 0
                    then 1
                when
                    required_mixes.dimension = 'deliverables'
                    and required_mixes.name = margins.size
                    and margins.size_clean = 0
                    then 1
            end
        ) as n_wanted
    from margins
    cross join required_mixes
    group by margins.category, margins.complexity, margins.deliverable_bucket
),

needed as (
    select
        margins.*,
        wanted.n_wanted,
        greatest(collection_targets.minimum_samples - margins.n_clean, 0) as needed_for_minimum,
        greatest(collection_targets.production_samples - margins.n_clean, 0)
            as needed_for_production,
        greatest(collection_targets.optimal_samples - margins.n_clean, 0) as needed_for_optimal,
        case when margins.category_clean = 0 then 1 else 0 end
        + case when margins.complexity_clean = 0 then 1 else 0 end
        + case when margins.bucket_clean = 0 then 1 else 0 end as closes
    from margins
    inner join wanted
        on
            margins.category = wanted.category
            and margins.complexity = wanted.complexity
            and margins.deliverable_bucket = wanted.deliverable_bucket
    cross join collection_targets
),

-- first the sample that closes most gaps at once, those of the required mix before others
ranked as (
    select
        *,
        row_number() over (
            order by
                case when is_in_vocabulary then 0 else 1 end asc,
                case when needed_for_minimum > 0 then 0 else 1 end asc,
                n_wanted desc,
                closes desc,
                n_clean asc,
                n desc,
                category_clean + complexity_clean + bucket_clean asc,
                position asc nulls last,
                category asc, complexity asc, deliverable_bucket asc
        ) as gap_rank
    from needed
),

final as (
    select
        category,
        complexity,
        deliverable_bucket,
        n,
        n_clean,
        n_truncated,
        cast(needed_for_minimum as bigint) as needed_for_minimum,
        cast(needed_for_production as bigint) as needed_for_production,
        cast(needed_for_optimal as bigint) as needed_for_optimal,
        cast(category_clean as bigint) as category_clean,
        cast(complexity_clean as bigint) as complexity_clean,
        cast(bucket_clean as bigint) as bucket_clean,
        cast(gap_rank as bigint) as gap_rank,
        {{ key_of(['category', 'complexity', 'deliverable_bucket']) }} as cell_key,
        concat_ws(
            ', ',
            case when category_clean = 0 then 'category' end,
            case when complexity_clean = 0 then 'complexity' end,
            case when bucket_clean = 0 then 'deliverables' end
        ) as first_of_its,
        case
            when not is_in_vocabulary then 'outside the vocabulary'
            when needed_for_minimum = 0 then 'enough for the minimum'
            when n_wanted > 0 or closes > 0 then 'high'
            when n_clean = 0 then 'medium'
            else 'low'
        end as priority
    from ranked
)

select * from final
