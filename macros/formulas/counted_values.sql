{#-
    Exact quantiles of many values. An engine's own quantile keeps every value in memory and cannot
    move them to disk, and sorting them all is slow. Here equal values are one row with their number
    (counted_values), coarse buckets of values say in which of them a rank lies, and only those
    buckets are sorted (ranked_values). Over their rows counted_rank() and counted_quantile() are
    aggregates.
-#}

{#- One row per cell, measure and value: how many events have it. -#}
{% macro counted_values(relation, cell_columns, measures) -%}
    {%- for measure in measures %}
    select
        {% for column in cell_columns -%}
        {{ column }},
        {% endfor -%}
        '{{ measure }}' as measure,
        {{ measure }} as value,
        count(*) as n
    from {{ relation }}
    where {{ measure }} is not null
    group by {{ cell_columns | join(', ') }}, {{ measure }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#-
    The steps from `counted` to `ranked`: the values of each stratum around the wanted ranks, with
    n_up_to (values of the stratum up to this one) and n_values (all of them). A stratum has
    `labels` (name: text), `columns` of `counted` and perhaps a condition, `where`; `names` are the
    columns of all strata. `ranks` are expressions over n_values, counted from 1.
-#}
{% macro ranked_values(names, strata, ranks) %}
{%- set labels = strata[0]['labels'].keys() | list -%}
{%- set stratum = (labels + names + ['measure']) | join(', ') -%}
{%- set bucket = 'floor(counted.value * 16)' -%}
buckets as (
    {% for part in strata %}
        select
            {% for name, label in part['labels'].items() -%}
            '{{ label }}' as {{ name }},
            {% endfor -%}
            {% for name in names -%}
            {{ name if name in part['columns'] else 'cast(null as string)' }} as {{ name }},
            {% endfor -%}
            measure,
            {{ bucket }} as bucket,
            sum(n) as n
        from counted
        where {{ part.get('where', 'true') }}
        group by {{ (part['columns'] + ['measure', bucket]) | join(', ') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

summed_buckets as (
    select
        *,
        sum(n) over (partition by {{ stratum }} order by bucket asc) as n_up_to,
        sum(n) over (partition by {{ stratum }}) as n_values
    from buckets
),

wanted_buckets as (
    select *
    from summed_buckets
    where
        {% for rank in ranks -%}
        ({{ rank }} between n_up_to - n + 1 and n_up_to)
        {{ 'or ' if not loop.last }}
        {%- endfor %}
),

ranked as (
    {% for part in strata %}
        {%- set columns = ['counted.measure'] %}
        {%- for column in part['columns'] %}{% do columns.append('counted.' ~ column) %}{% endfor %}
        select
            {% for name, label in part['labels'].items() -%}
            '{{ label }}' as {{ name }},
            {% endfor -%}
            {% for name in names -%}
            {{ 'counted.' ~ name if name in part['columns'] else 'cast(null as string)' }} as {{ name }},
            {% endfor -%}
            counted.measure,
            counted.value,
            wanted.n_values,
            wanted.n_up_to - wanted.n + sum(sum(counted.n)) over (
                partition by {{ columns | join(', ') }}, wanted.bucket
                order by counted.value asc
            ) as n_up_to
        from counted
        inner join wanted_buckets as wanted
            on
                counted.measure = wanted.measure
                and {{ bucket }} = wanted.bucket
                {%- for name, label in part['labels'].items() %}
                and wanted.{{ name }} = '{{ label }}'
                {%- endfor %}
                {%- for column in part['columns'] %}
                and counted.{{ column }} is not distinct from wanted.{{ column }}
                {%- endfor %}
        where {{ part.get('where', 'true') }}
        group by
            {{ columns | join(', ') }}, counted.value, wanted.bucket, wanted.n,
            wanted.n_up_to, wanted.n_values
        {{ 'union all' if not loop.last }}
    {% endfor %}
)
{%- endmacro %}

{#- The two ranks that a quantile lies between, of n_values: at (n - 1) * probability from 0. -#}
{% macro quantile_ranks(probability) %}
    {% set position = '(n_values - 1) * cast(' ~ probability ~ ' as double)' %}
    {{ return(['floor(' ~ position ~ ') + 1', 'ceil(' ~ position ~ ') + 1']) }}
{% endmacro %}

{#- The same of several probabilities. -#}
{% macro ranks_of_quantiles(probabilities) %}
    {% set ranks = [] %}
    {% for probability in probabilities %}
        {% do ranks.extend(quantile_ranks(probability)) %}
    {% endfor %}
    {{ return(ranks) }}
{% endmacro %}

{#- The value of a rank; null where there is none. -#}
{% macro counted_rank(rank, measure=none) -%}
    min(
        case
            when {{ "measure = '" ~ measure ~ "' and " if measure }}{{ rank }} >= 1 and n_up_to >= {{ rank }}
                then value
        end
    )
{%- endmacro %}

{#- Interpolated between its two ranks. -#}
{% macro counted_quantile(probability, measure=none) -%}
    {%- set ranks = quantile_ranks(probability) -%}
    {%- set part = '(n_values - 1) * cast(' ~ probability ~ ' as double) + 1 - (' ~ ranks[0] ~ ')' -%}
    {%- if measure -%}
        {%- set part = "case when measure = '" ~ measure ~ "' then " ~ part ~ ' end' -%}
    {%- endif -%}
    {{ counted_rank(ranks[0], measure) }}
    + ({{ counted_rank(ranks[1], measure) }} - {{ counted_rank(ranks[0], measure) }}) * max({{ part }})
{%- endmacro %}
