{% set probabilities = var('what_if_quantiles') %}

with

estimates as (
    select * from {{ ref('estimates') }}
),

cells as (
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
    from cells
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

-- what a truncated phase needed is known where another call of it finished
phase_needs as (
    select
        run_id,
        phase_id,
        max(finished_tokens) as needed_tokens
    from cells
    where finished_tokens is not null
    group by run_id, phase_id
),

calls as (
    select
        cells.*,
        phase_needs.needed_tokens
    from cells
    left join phase_needs
        on
            cells.run_id = phase_needs.run_id
            and cells.phase_id = phase_needs.phase_id
),

tried as (
    select
        ceilings.category,
        ceilings.complexity,
        ceilings.quantile,
        ceilings.new_ceiling,
        ceilings.n_finished,
        count(case when calls.is_truncated then 1 end) as n_truncated,
        count(
            case
                when
                    calls.is_truncated
                    and ceilings.new_ceiling
                    > greatest(calls.actual_output_tokens, coalesce(calls.ceiling_tokens, 0))
                    then 1
            end
        ) as n_given_more_room,
        count(
            case
                when
                    calls.is_truncated
                    and ceilings.new_ceiling
                    > greatest(calls.actual_output_tokens, coalesce(calls.ceiling_tokens, 0))
                    and calls.needed_tokens <= ceilings.new_ceiling
                    then 1
            end
        ) as n_known_saved,
        sum(
            case
                when calls.ceiling_tokens < ceilings.new_ceiling
                    then ceilings.new_ceiling - calls.ceiling_tokens
                else 0
            end
        ) as extra_reserved_tokens
    from ceilings
    inner join calls
        on
            ceilings.category = calls.category
            and ceilings.complexity = calls.complexity
    group by
        ceilings.category, ceilings.complexity, ceilings.quantile, ceilings.new_ceiling,
        ceilings.n_finished
),

final as (
    select
        category,
        complexity,
        quantile,
        new_ceiling,
        n_finished,
        n_truncated,
        n_known_saved,
        n_given_more_room as n_saved_at_most,
        cast(extra_reserved_tokens as double) as extra_reserved_tokens,
        concat_ws('|', category, complexity, cast(quantile as string)) as ceiling_key
    from tried
)

select * from final
