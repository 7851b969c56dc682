{% set columns = asked_columns() %}
{% set cell = columns + ['model', 'input_bin'] %}
{% set knows_work = labels()[:2] == ['category', 'complexity'] %}
with

demand as {{ inlined() }} (
    select * from {{ ref('int_demand') }}
),

history as {{ inlined() }} (
    select * from {{ ref('int_demand_history') }}
),

phase_overheads as (
    select * from {{ ref('phase_overheads') }}
),

calls as (
    select
        {{ columns[:-1] | join(', ') }},
        cast(null as string) as estimate_bin,
        model,
        cast(null as bigint) as input_bin,
        count(*) as n
    from demand
    where {{ is_real_call('excluded_reason') }}
    group by {{ columns[:-1] | join(', ') }}, model
    union all
    select
        {{ cell | join(', ') }},
        cast(0 as bigint) as n
    from history
    group by {{ cell | join(', ') }}
),

seen_labels as (
    {% for level in range(columns | length + 1) %}
        select
            {{ cut_columns(level) }},
            {{ level }} as level_no,
            sum(n) as n
        from calls
        {% if level %}
            where {{ demand_cell(level) }} is not null
            group by {{ columns[:level] | join(', ') }}
        {% endif %}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- with the most calls: what was never seen is asked for beside these alone
frequent as (
    select
        *,
        row_number() over (
            order by level_no asc, n desc nulls last, {{ columns | join(' asc, ') }} asc
        ) as frequency_rank
    from seen_labels
),

{% if knows_work %}
    counted as (
        select
            count(*) as n_cells,
            count(complexity) as n_with_complexity,
            count(estimate_bin) as n_with_deliverables
        from calls
    ),

    -- the work that the estimator's own rules know, where deliverables say that it is such work
    known_categories as (
        select category from frequent
        where level_no = 1 and frequency_rank <= {{ var('max_so_far_keys') }}
        union distinct
        select phase_overheads.category
        from phase_overheads
        cross join counted
        where counted.n_with_deliverables > 0 or counted.n_cells = 0
        union distinct
        select {{ new_value() }} as category
        union distinct
        select cast(null as string) as category
    ),

    complexities as (
        select distinct complexity from phase_overheads
    ),

    known_work as (
        select
            known_categories.category,
            complexities.complexity
        from known_categories
        cross join complexities
        cross join counted
        where counted.n_with_complexity > 0 or counted.n_cells = 0
        union all
        select
            category,
            cast(null as string) as complexity
        from known_categories
    ),

{% endif %}
known_labels as (
    select
        {{ columns | join(', ') }},
        level_no
    from frequent
    where frequency_rank <= {{ var('max_so_far_keys') }}
    {% if knows_work %}
        union distinct
        select
            {{ cut_columns(2) }},
            case when complexity is null then 1 else 2 end as level_no
        from known_work
    {% endif %}
),

new_labels as (
    select
        {{ columns | join(', ') }}
    from known_labels
    {% for column in columns %}
        {% set number = loop.index %}
        union distinct
        select
            {{ with_new_value(column) }}
        from known_labels
        where level_no < {{ number }}
    {% endfor %}
),

model_counts as (
    select
        model,
        row_number() over (order by sum(n) desc, model asc) as frequency_rank
    from calls
    where model is not null
    group by model
),

models as (
    select cast(null as string) as model
    union all
    select {{ new_value() }} as model
    union all
    select model
    from model_counts
    where frequency_rank <= {{ var('max_asked_models') }}
),

asked as (
    select
        {% for column in columns %}
            new_labels.{{ column }},
        {% endfor %}
        models.model,
        cast(null as bigint) as input_bin,
        0 as is_seen
    from new_labels
    cross join models
    {% for level in range(columns | length + 1) %}
        union all
        select
            {{ cut_columns(level) }},
            model,
            cast(null as bigint) as input_bin,
            1 as is_seen
        from calls
        {{ 'where ' ~ demand_cell(level) ~ ' is not null' if level }}
        group by {{ (columns[:level] + ['model']) | join(', ') }}
        union all
        select
            {{ cut_columns(level) }},
            cast(null as string) as model,
            cast(null as bigint) as input_bin,
            1 as is_seen
        from seen_labels
        where level_no = {{ level }}
    {% endfor %}
    union all
    select
        {{ cell | join(', ') }},
        1 as is_seen
    from history
    where {{ demand_cell(narrowest_level()) }} is not null
    group by {{ cell | join(', ') }}
),

told_apart as (
    select
        {{ cell | join(', ') }},
        max(is_seen) = 1 as is_seen
    from asked
    group by {{ cell | join(', ') }}
),

final as (
    select
        {{ key_of(cell) }} as asked_key,
        {{ cell | join(', ') }},
        {{ label_object() }} as labels,
        {{ top_label_object(columns[0]) }} as top_label_text,
        is_seen,
        case
            when input_bin is not null then {{ columns | length + 2 }}
            when model is not null then {{ columns | length + 1 }}
            {% for column in columns | reverse %}
                when {{ column }} is not null then {{ columns | length - loop.index0 }}
            {% endfor %}
            else 0
        end as cell_level
    from told_apart
)

select * from final
