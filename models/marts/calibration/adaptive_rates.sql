with recursive

demand as {{ inlined() }} (
    select * from {{ ref('int_demand') }}
),

-- only calls that ran under a budget of ours say whether our budgets hold
judged as {{ inlined() }} (
    select
        category,
        occurred_at,
        call_id,
        is_first_truncated
    from demand
    where
        is_first_under_budget
        and category is not null
        and is_first_truncated is not null
        and {{ is_until_as_of('occurred_at') }}
        and coalesce(excluded_reason, '') not in ('synthetic', 'repeated')
),

days as (
    select
        category,
        cast(date_trunc('day', occurred_at) as timestamp) as starts_at,
        count(*) as n_calls
    from judged
    group by category, cast(date_trunc('day', occurred_at) as timestamp)
),

numbered_days as (
    select
        category,
        starts_at,
        sum(n_calls) over (partition by category order by starts_at asc) - n_calls as calls_before,
        sum(n_calls) over (partition by category order by starts_at desc) - n_calls as calls_after
    from days
),

-- only the days that hold the newest batches, and one that is not full, are sorted by call
first_days as (
    select
        category,
        min(starts_at) as starts_at,
        min(calls_before) as calls_before
    from numbered_days
    where calls_after < ({{ var('adaptive_batches') }} + 1) * {{ var('adaptive_batch_calls') }}
    group by category
),

numbered as (
    select
        judged.category,
        judged.occurred_at,
        judged.is_first_truncated,
        first_days.calls_before + row_number() over (
            partition by judged.category
            order by judged.occurred_at asc, judged.call_id asc
        ) - 1 as calls_before
    from judged
    inner join first_days
        on
            judged.category = first_days.category
            and judged.occurred_at >= first_days.starts_at
),

batched as (
    select
        *,
        cast(floor(calls_before / {{ var('adaptive_batch_calls') }}) as bigint) + 1 as batch_no
    from numbered
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
        {{ key_of(['kept.category', 'kept.batch_no']) }} as batch_key,
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
