{% set columns = slice_names().keys() | list %}
{% set by_slice = [] %}
{% for column in columns %}
    {% set split = 'case when slices.by_' ~ column ~ ' then sampled.' ~ column ~ ' end' %}
    {% do by_slice.append(split ~ ' as ' ~ column) %}
{% endfor %}
{% set samples = [
    ('all', 'all', 'true'),
    ('all', 'success', "outcome = 'success'"),
    ('all', 'comparable', 'is_comparable'),
    ('recent', 'all', 'is_recent'),
    ('recent', 'success', "is_recent and outcome = 'success'"),
] %}

with

cells as (
    select * from {{ ref('int_cells') }}
),

deliverables as (
    select coalesce(bool_or(deliverable_bucket <> 'unknown'), false) as is_known
    from cells
),

sampled as (
    {% for period, scope, condition in samples %}
        select
            '{{ period }}' as period,
            '{{ scope }}' as scope,
            cell_key,
            {{ columns | join(', ') }}
        from cells
        where {{ condition }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

slices as (
    {% for slice in slices() %}
        {% set flags = [] %}
        {% for column in columns %}
            {% do flags.append((column in slice) | string | lower ~ ' as by_' ~ column) %}
        {% endfor %}
        select {{ flags | join(', ') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- a column is null where it does not split the slice
sliced as (
    select
        sampled.period,
        sampled.scope,
        sampled.cell_key,
        {{ by_slice | join(', ') }}
    from sampled
    cross join slices
),

named as (
    select
        sliced.period,
        cast(1 as bigint) as period_no,
        sliced.scope,
        sliced.cell_key,
        {{ columns | join(', ') }},
        {{ slice_columns() }}
    from sliced
    cross join deliverables
    where sliced.deliverable_bucket is null or deliverables.is_known
),

final as (
    select
        *,
        {{ score_key() }} as score_key
    from named
)

select * from final
