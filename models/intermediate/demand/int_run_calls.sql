with

calls as (
    select * from {{ ref('int_calls_so_far') }}
),

budget_quantiles as (
    select * from {{ ref('int_budget_quantiles') }}
),

rates as (
    {{ rate_rows(var('truncation_rates')) }}
),

-- causal: only what earlier calls of the run have shown
known as (
    select
        *,
        lag(ln_above_cell) over (
            partition by run_id, top_label
            order by occurred_at asc, call_id asc
        ) as ln_same,
        lag(ln_above_cell) over (
            partition by run_id
            order by occurred_at asc, call_id asc
        ) as ln_any,
        row_number() over (
            partition by run_id
            order by occurred_at asc, call_id asc
        ) - 1 as calls_before,
        row_number() over (order by occurred_at asc, call_id asc) as call_no,
        count(*) over () as n_calls
    from calls
),

final as (
    select
        known.call_id,
        known.run_id,
        known.top_label,
        cast(known.demand_tokens as double) as demand_tokens,
        known.is_observed,
        budget_quantiles.max_truncation,
        known.call_no <= 0.7 * known.n_calls as is_early,
        {{ run_bin('known.ln_same') }} as same_bin,
        {{ run_bin('known.ln_any') }} as any_bin,
        {{ turn_bin('known.calls_before') }} as turn_bin,
        ln(cast(budget_quantiles.budget_tokens as double)) as ln_budget
    from known
    cross join rates
    inner join budget_quantiles
        on
            concat_ws(
                '|', cast(known.cell_level as string), known.cell, {{ plain_number('rates.rate') }}
            ) = budget_quantiles.budget_key
    where budget_quantiles.budget_tokens is not null
)

select * from final
