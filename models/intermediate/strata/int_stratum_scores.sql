{% set columns = ['score_key', 'period', 'period_no', 'scope', 'slice', 'stratum', 'stratum_key']
    + slice_names().keys() | list %}

with

strata as {{ inlined() }} (
    select * from {{ ref('int_strata') }}
),

cells as (
    select * from {{ ref('int_cells') }}
),

counted_calls as {{ inlined() }} (
    select * from {{ ref('int_counted_calls') }}
    where {{ is_analysed() }}
),

grouped as (
    select
        strata.{{ columns | join(', strata.') }},
        {{ accuracy_counts() }}
    from strata
    inner join cells
        on strata.cell_key = cells.cell_key
    group by strata.{{ columns | join(', strata.') }}
),

{{ stratum_quantiles(
    events='counted_calls',
    names=['score_key'],
    strata='strata',
    wanted=accuracy_quantiles(),
) }},

final as (
    select
        grouped.*,
        quantiles.{{ accuracy_quantiles().keys() | join(', quantiles.') }}
    from grouped
    left join quantiles
        on grouped.score_key = quantiles.score_key
)

select * from final
