{% set columns = asked_columns() %}
with

asked as {{ inlined() }} (
    select * from {{ ref('int_asked_cells') }}
),

coefficients as {{ inlined() }} (
    select * from {{ ref('coefficients') }}
),

-- the cells that a cell lies in, itself the narrowest: where a level has no value, there is none
wider as (
    {% for level in range(columns | length + 1) %}
        select
            asked_key,
            {{ level }} as level_no,
            {{ key_of([label_object(most=level), 'cast(null as string)', 'cast(null as string)']) }}
                as cell_text
        from asked
        {{ 'where ' ~ columns[level - 1] ~ ' is not null' if level }}
        union all
    {% endfor %}
    select
        asked_key,
        {{ columns | length + 1 }} as level_no,
        {{ key_of(['labels', 'model', 'cast(null as string)']) }} as cell_text
    from asked
    where model is not null
    union all
    select
        asked_key,
        {{ columns | length + 2 }} as level_no,
        {{ key_of(['labels', 'model', 'input_bin']) }} as cell_text
    from asked
    where input_bin is not null
),

known as (
    select
        {{ key_of(['labels', 'model', 'input_bin']) }} as cell_text,
        max(case when kind = 'budget' then 1 else 0 end) = 1 as has_budget,
        max(case when kind = 'median' then 1 else 0 end) = 1 as has_median
    from coefficients
    where kind in ('budget', 'median')
    group by {{ key_of(['labels', 'model', 'input_bin']) }}
),

matched as (
    select
        wider.asked_key,
        wider.level_no,
        wider.cell_text,
        known.has_budget,
        known.has_median,
        max(case when known.has_budget then wider.level_no end)
            over (partition by wider.asked_key) as budget_level,
        max(
            case
                when known.has_budget and wider.level_no < {{ columns | length }}
                    then wider.level_no
            end
        ) over (partition by wider.asked_key) as label_level,
        max(case when known.has_median then wider.level_no end)
            over (partition by wider.asked_key) as median_level,
        max(
            case
                when known.has_median and wider.level_no <= {{ columns | length }}
                    then wider.level_no
            end
        ) over (partition by wider.asked_key) as label_median_level
    from wider
    inner join known
        on wider.cell_text = known.cell_text
),

final as (
    select
        asked_key,
        max(budget_level) as budget_level,
        max(case when level_no = budget_level then cell_text end) as budget_cell,
        max(label_level) as label_level,
        max(case when level_no = label_level then cell_text end) as label_cell,
        max(median_level) as median_level,
        max(case when level_no = median_level then cell_text end) as median_cell,
        max(case when level_no = label_median_level then cell_text end) as label_median_cell
    from matched
    group by asked_key
)

select * from final
