with recursive

demand as (
    select * from {{ ref('int_demand') }}
),

horizon as (
    select {{ as_of('occurred_at') }} as ends_at
    from demand
),

-- only calls that ran under a budget of ours say whether our budgets hold
judged as (
    select
        demand.category,
        demand.occurred_at,
        demand.is_first_truncated,
        row_number() over (
            partition by demand.category
            order by demand.occurred_at asc, demand.call_id asc
        ) - 1 as calls_before
    from demand
    cross join horizon
    where
        demand.is_first_under_budget
        and demand.category is not null
        and demand.is_first_truncated is not null
        and demand.occurred_at <= horizon.ends_at
        and coalesce(demand.excluded_reason, '') not in ('synthetic', 'repeated')
),

batched as (
    select
        *,
        cast(floor(calls_before / {{ var('adaptive_batch_calls') }}) as bigint) + 1 as batch_no
    from judged
),

batches as (
    select
        category,
        batch_no,
        min(occurred_at) as starts_at,
        max(occurred_at) as ends_at,
        count(*) as n_calls,
        sum(case when is_first_truncated then 1 else 0 end) as n_truncated
    from batched
    group by category, batch_no
    having count(*) = {{ var('adaptive_batch_calls') }}
),

recent as (
    select
        *,
        row_number() over (partition by category order by batch_no desc) as batches_back
    from batches
),

kept as (
    select
        *,
        row_number() over (partition by category order by batch_no asc) as step
    from recent
    where batches_back <= {{ var('adaptive_batches') }}
),

stepped as (
    select
        category,
        step,
        cast({{ var('target_truncation') }} as double) as rate_before,
        {{ adapted_rate(var('target_truncation'), 'n_calls', 'n_truncated') }} as rate_after
    from kept
    where step = 1
    union all
    select
        kept.category,
        kept.step,
        stepped.rate_after as rate_before,
        {{ adapted_rate('stepped.rate_after', 'kept.n_calls', 'kept.n_truncated') }} as rate_after
    from stepped
    inner join kept
        on
            stepped.category = kept.category
            and stepped.step + 1 = kept.step
),

final as (
    select
        concat_ws('|', {{ key_part('kept.category') }}, cast(kept.batch_no as string)) as batch_key,
        kept.category,
        kept.batch_no,
        kept.starts_at,
        kept.ends_at,
        cast(kept.n_calls as bigint) as n_calls,
        cast(kept.n_truncated as bigint) as n_truncated,
        {{ ratio('kept.n_truncated', 'kept.n_calls') }} as truncation_rate,
        stepped.rate_before,
        stepped.rate_after,
        stepped.rate_after / cast({{ var('target_truncation') }} as double) as rate_factor,
        kept.batches_back = 1 as is_current
    from kept
    inner join stepped
        on
            kept.category = stepped.category
            and kept.step = stepped.step
)

select * from final
