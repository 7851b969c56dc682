{% set probabilities = var('what_if_quantiles') %}

with

estimates as (
    select * from {{ ref('estimates') }}
),

calls as (
    select
        run_id,
        phase_id,
        is_truncated,
        actual_output_tokens,
        ceiling_tokens,
        coalesce(category, 'unknown') as category,
        coalesce(complexity, 'unknown') as complexity,
        case when not is_truncated and is_success then actual_output_tokens end as finished_tokens
    from estimates
    where {{ is_analysed() }}
),

cell_quantiles as (
    select
        category,
        complexity,
        count(finished_tokens) as n_finished,
        {{ quantiles('finished_tokens', probabilities) }} as finished_quantiles
    from calls
    group by category, complexity
    having count(case when is_truncated then 1 end) > 0
),

ceilings as (
    {% for probability in probabilities %}
        select
            category,
            complexity,
            n_finished,
            cast({{ probability }} as double) as quantile,
            {{ list_item('finished_quantiles', loop.index) }} as new_ceiling
        from cell_quantiles
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

truncated_phases as (
    select
        run_id,
        phase_id
    from calls
    where is_truncated
),

-- what a truncated phase needed is known where another call of it finished
phase_needs as (
    select
        calls.run_id,
        calls.phase_id,
        max(calls.finished_tokens) as needed_tokens
    from calls
    where
        calls.finished_tokens is not null
        and (calls.run_id, calls.phase_id) in (
            select
                truncated_phases.run_id,
                truncated_phases.phase_id
            from truncated_phases
        )
    group by calls.run_id, calls.phase_id
),

-- equal calls in one row, with their number
truncated_calls as (
    select
        calls.category,
        calls.complexity,
        phase_needs.needed_tokens,
        greatest(calls.actual_output_tokens, coalesce(calls.ceiling_tokens, 0)) as bound_tokens,
        count(*) as n
    from calls
    left join phase_needs
        on
            calls.run_id = phase_needs.run_id
            and calls.phase_id = phase_needs.phase_id
    where calls.is_truncated
    group by
        calls.category, calls.complexity,
        greatest(calls.actual_output_tokens, coalesce(calls.ceiling_tokens, 0)),
        phase_needs.needed_tokens
),

reserved_calls as (
    select
        category,
        complexity,
        ceiling_tokens,
        count(*) as n
    from calls
    where ceiling_tokens is not null
    group by category, complexity, ceiling_tokens
),

saved as (
    select
        ceilings.category,
        ceilings.complexity,
        ceilings.quantile,
        sum(truncated_calls.n) as n_truncated,
        sum(
            case
                when ceilings.new_ceiling > truncated_calls.bound_tokens then truncated_calls.n
                else 0
            end
        ) as n_given_more_room,
        sum(
            case
                when
                    ceilings.new_ceiling > truncated_calls.bound_tokens
                    and truncated_calls.needed_tokens <= ceilings.new_ceiling
                    then truncated_calls.n
                else 0
            end
        ) as n_known_saved
    from ceilings
    inner join truncated_calls
        on
            ceilings.category = truncated_calls.category
            and ceilings.complexity = truncated_calls.complexity
    group by ceilings.category, ceilings.complexity, ceilings.quantile
),

reserved as (
    select
        ceilings.category,
        ceilings.complexity,
        ceilings.quantile,
        sum(
            greatest(ceilings.new_ceiling - reserved_calls.ceiling_tokens, 0) * reserved_calls.n
        ) as extra_reserved_tokens
    from ceilings
    inner join reserved_calls
        on
            ceilings.category = reserved_calls.category
            and ceilings.complexity = reserved_calls.complexity
    group by ceilings.category, ceilings.complexity, ceilings.quantile
),

final as (
    select
        ceilings.category,
        ceilings.complexity,
        ceilings.quantile,
        ceilings.new_ceiling,
        ceilings.n_finished,
        cast(saved.n_truncated as bigint) as n_truncated,
        cast(saved.n_known_saved as bigint) as n_known_saved,
        cast(saved.n_given_more_room as bigint) as n_saved_at_most,
        cast(coalesce(reserved.extra_reserved_tokens, 0) as double) as extra_reserved_tokens,
        concat_ws(
            '|', ceilings.category, ceilings.complexity, cast(ceilings.quantile as string)
        ) as ceiling_key
    from ceilings
    inner join saved
        on
            ceilings.category = saved.category
            and ceilings.complexity = saved.complexity
            and ceilings.quantile = saved.quantile
    left join reserved
        on
            ceilings.category = reserved.category
            and ceilings.complexity = reserved.complexity
            and ceilings.quantile = reserved.quantile
)

select * from final
