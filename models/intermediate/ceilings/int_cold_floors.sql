{% set columns = asked_columns() %}
with

asked as (
    select
        *,
        {{ "coalesce(category, '')" if 'category' in columns else "''" }} as category_part,
        {{ "coalesce(complexity, '')" if 'complexity' in columns else "''" }} as complexity_part
    from {{ ref('int_asked_cells') }}
    where estimate_bin is null
),

matches as (
    select * from {{ ref('int_cell_matches') }}
),

coefficients as {{ inlined() }} (
    select
        kind,
        name,
        labels,
        model,
        n,
        threshold,
        coalesce(category, '') as category,
        coalesce(complexity, '') as complexity,
        {{ exported_number('value') }} as value,
        {{ key_of(['labels', 'model', 'input_bin']) }} as cell_text
    from {{ ref('coefficients') }}
),

floors as (
    select * from coefficients
    where kind = 'base_budget'
),

buffers as (
    select * from coefficients
    where kind = 'budget_buffer'
),

so_far as (
    select * from coefficients
    where kind = 'so_far'
),

medians as (
    select
        cell_text,
        max(case when kind = 'median' then value end) as tokens,
        max(case when kind = 'median' then n end) as n,
        least(
            max(case when kind = 'median' then value end),
            min(case when kind = 'median_low' then value end)
        ) as low,
        greatest(
            max(case when kind = 'median' then value end),
            max(case when kind = 'median_high' then value end)
        ) as high
    from coefficients
    where kind in ('median', 'median_low', 'median_high')
    group by cell_text
),

constants as (
    select max(case when name = 'confidence_no_deliverables' then value end) as confidence
    from coefficients
    where kind = 'constant'
),

floored as (
    select
        asked.asked_key,
        asked.category_part,
        asked.complexity_part,
        coalesce(of_cell.value, of_complexity.value, of_any.value) as floor_tokens,
        coalesce(of_complexity.value, of_any.value) as cold_tokens
    from asked
    left join floors as of_cell
        on
            asked.category_part = of_cell.category
            and asked.complexity_part = of_cell.complexity
    left join floors as of_complexity
        on
            of_complexity.category = ''
            and asked.complexity_part = of_complexity.complexity
    left join floors as of_any
        on
            of_any.category = ''
            and of_any.complexity = ''
),

-- the estimate without deliverables: the median of such calls, else the floor of the complexity
estimated as (
    select
        asked.asked_key,
        {{ round_to_even(
            'medians.tokens * exp('
            ~ 'case when asked.cell_level > ' ~ columns | length
            ~ ' and matches.median_level <= ' ~ columns | length
            ~ ' then coalesce(of_model.value, 0) else 0 end'
            ~ " + case when asked.top_label_text <> '{}' and matches.median_level = 0"
            ~ ' then coalesce(of_label.value, 0) else 0 end)'
        ) }} as median_tokens,
        medians.n / (medians.n + cast(2 as double)) / (1 + ln(medians.high / medians.low) / 4)
        / case when matches.median_level = asked.cell_level then 1 else 2 end as confidence
    from asked
    left join matches
        on asked.asked_key = matches.asked_key
    left join medians
        on matches.median_cell = medians.cell_text
    left join so_far as of_model
        on
            asked.model = of_model.model
            and of_model.labels = '{}'
    left join so_far as of_label
        on
            asked.top_label_text = of_label.labels
            and of_label.model is null
),

judged as (
    select
        floored.*,
        greatest(coalesce(estimated.median_tokens, floored.cold_tokens), 1) as estimate_tokens,
        coalesce(estimated.confidence, constants.confidence) as confidence
    from floored
    inner join estimated
        on floored.asked_key = estimated.asked_key
    cross join constants
),

buffered as (
    select
        judged.asked_key,
        max(judged.floor_tokens) as floor_tokens,
        max(judged.estimate_tokens) as estimate_tokens,
        max(buffers.value) as buffer_factor
    from judged
    inner join buffers
        on
            buffers.name = 'always'
            or (buffers.name = 'confidence_below' and judged.confidence < buffers.threshold)
            or (
                buffers.name = 'category'
                and judged.category_part = buffers.category
                and buffers.complexity in ('', judged.complexity_part)
            )
    group by judged.asked_key
),

final as (
    select
        asked_key,
        cast(
            greatest(floor_tokens, floor(estimate_tokens * greatest(buffer_factor, 1))) as bigint
        ) as floor_tokens
    from buffered
)

select * from final
