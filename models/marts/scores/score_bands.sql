with

counted_calls as (
    select * from {{ ref('int_counted_calls') }}
),

labels as (
    select * from {{ ref('accuracy_band_labels') }}
),

-- of a truncated call only what its bound already says is certain
events as (
    select
        {{ certain_smape() }} as smape,
        estimate_ratio,
        coalesce(is_truncated, true) as is_bound,
        n
    from counted_calls
    where
        {{ is_analysed() }}
        and predicted_output_tokens is not null
),

measured as (
    select
        'smape' as measure,
        smape as value,
        is_bound,
        n
    from events
    union all
    select
        'estimate_ratio' as measure,
        estimate_ratio as value,
        is_bound,
        n
    from events
),

-- a bound counts in the outermost band alone, where more output would change nothing
placed as (
    select
        measured.measure,
        coalesce(labels.position, 5) as band_no,
        sum(measured.n) as n
    from measured
    left join labels
        on
            measured.measure = labels.measure
            and (
                measured.value > labels.lower_bound
                or (labels.includes_lower and measured.value = labels.lower_bound)
            )
            and (
                labels.upper_bound is null
                or measured.value < labels.upper_bound
                or (labels.includes_upper and measured.value = labels.upper_bound)
            )
            and (
                not measured.is_bound
                or (measured.measure = 'smape' and labels.upper_bound is null)
                or (measured.measure = 'estimate_ratio' and labels.position = 1)
            )
    group by measured.measure, coalesce(labels.position, 5)
),

totals as (
    select
        measure,
        sum(n) as n_total
    from placed
    group by measure
),

-- what no band holds keeps a row of its own
all_bands as (
    select
        measure,
        position as band_no,
        name as band,
        label as band_label
    from labels
    union all
    select
        measure,
        5 as band_no,
        'undecided' as band,
        'truncated or without output: no band is certain' as band_label
    from labels
    where position = 1
),

final as (
    select
        {{ key_of(['all_bands.measure', 'all_bands.band']) }} as band_key,
        all_bands.measure,
        cast(all_bands.band_no as bigint) as band_no,
        all_bands.band,
        all_bands.band_label,
        cast(coalesce(placed.n, 0) as bigint) as n,
        {{ ratio('coalesce(placed.n, 0)', 'totals.n_total') }} as band_share
    from all_bands
    left join placed
        on
            all_bands.measure = placed.measure
            and all_bands.band_no = placed.band_no
    left join totals
        on all_bands.measure = totals.measure
)

select * from final
