{% set wanted = {} %}
{% for probability in var('what_if_quantiles') %}
    {% do wanted.update({'quantile_' ~ loop.index: ('finished_tokens', probability)}) %}
{% endfor %}

with

counted_calls as (
    select * from {{ ref('int_counted_calls') }}
),

estimates as {{ inlined() }} (
    select * from {{ ref('calls') }}
    where {{ is_analysed() }}
),

truncated as {{ inlined() }} (
    select * from estimates
    where is_truncated
),

finished as (
    select * from estimates
    where not is_truncated and {{ counts_as_success() }}
),

calls as (
    select
        *,
        case
            when not is_truncated and {{ counts_as_success() }} then actual_output_tokens
        end as finished_tokens
    from counted_calls
    where {{ is_analysed() }}
),

cells as (
    select
        category,
        complexity,
        cast({{ counted_if('finished_tokens is not null') }} as bigint) as n_finished
    from calls
    group by category, complexity
    having {{ counted_if('is_truncated') }} > 0
),

{{ stratum_quantiles(
    events='calls',
    names=['category', 'complexity'],
    wanted=wanted,
) }},

ceilings as (
    {% for column, (_, probability) in wanted.items() %}
        select
            cells.category,
            cells.complexity,
            cells.n_finished,
            cast({{ probability }} as double) as quantile,
            quantiles.{{ column }} as new_ceiling
        from cells
        left join quantiles
            on
                cells.category = quantiles.category
                and cells.complexity = quantiles.complexity
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- what a truncated phase needed is known where another call of it finished
phase_needs as (
    select
        run_id,
        phase_id,
        max(actual_output_tokens) as needed_tokens
    from finished
    where
        (run_id, phase_id) in (
            select
                truncated.run_id,
                truncated.phase_id
            from truncated
        )
    group by run_id, phase_id
),

-- equal calls in one row, with their number
truncated_calls as (
    select
        phase_needs.needed_tokens,
        coalesce(truncated.category, 'unknown') as category,
        coalesce(truncated.complexity, 'unknown') as complexity,
        greatest(truncated.actual_output_tokens, coalesce(truncated.ceiling_tokens, 0))
            as bound_tokens,
        count(*) as n
    from truncated
    left join phase_needs
        on
            truncated.run_id = phase_needs.run_id
            and truncated.phase_id = phase_needs.phase_id
    group by
        coalesce(truncated.category, 'unknown'), coalesce(truncated.complexity, 'unknown'),
        greatest(truncated.actual_output_tokens, coalesce(truncated.ceiling_tokens, 0)),
        phase_needs.needed_tokens
),

reserved_calls as (
    select
        category,
        complexity,
        ceiling_tokens,
        sum(n) as n
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
        {{ key_of([
            'ceilings.category', 'ceilings.complexity', plain_number('ceilings.quantile')
        ]) }}
            as ceiling_key
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
