with

cells as (
    select * from {{ ref('collection_plan') }}
),

successes as (
    select * from {{ ref('scores') }}
    where period = 'all' and scope = 'success' and slice = 'category / complexity'
),

groups as (
    select
        category,
        complexity,
        sum(n) as n,
        sum(n_clean) as n_clean
    from cells
    group by category, complexity
),

measured as (
    select
        groups.category,
        groups.complexity,
        groups.n,
        groups.n_clean,
        successes.median_smape,
        successes.p50_estimate_ratio
    from groups
    left join successes
        on
            groups.category = successes.category
            and groups.complexity = successes.complexity
),

final as (
    select
        {{ key_of(['category', 'complexity']) }} as group_key,
        category,
        complexity,
        cast(n as bigint) as n,
        cast(n_clean as bigint) as n_clean,
        median_smape,
        p50_estimate_ratio,
        {{ group_verdict() }} as verdict,
        cast(greatest({{ var('min_samples') }} - n_clean, 0) as bigint) as needed
    from measured
)

select * from final
