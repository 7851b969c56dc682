{#-
    Exact quantiles of many values, stratum by stratum. An engine's own quantile keeps every value
    in memory and, in DuckDB, cannot move them to disk; and sorting them all is slow. There a row
    stands for n equal values (`counted`), coarse buckets of values say in which of them a rank lies,
    and only those buckets are sorted (`ranked`). Over their rows counted_rank() and
    counted_quantile() are aggregates.
-#}

{#- The values of each measure, one below the other. -#}
{% macro counted_values(events, cell_columns, measures) -%}
    {%- for measure in measures %}
    select
        {{ cell_columns | join(', ') }},
        '{{ measure }}' as measure,
        {{ measure }} as value,
        n
    from {{ events }}
    where {{ measure }} is not null
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- What names a stratum: its labels, and its columns with null for those that do not split it. -#}
{% macro stratum_columns(stratum, names, relation='') -%}
    {%- for name, label in stratum['labels'].items() %}
    '{{ label }}' as {{ name }},
    {%- endfor %}
    {{ split_columns(stratum['columns'], names, relation) }},
{%- endmacro %}

{#-
    The steps from `counted` to `ranked`: the values of each stratum around the wanted ranks, with
    n_up_to (values of the stratum up to this one) and n_values (all of them). `ranks` are pairs
    of expressions over n_values, from which and to which rank, counted from 1.
-#}
{% macro ranked_values(names, strata, ranks, flags=[]) %}
{%- set stratum_key = (strata[0]['labels'].keys() | list + names + ['measure']) | join(', ') -%}
{#- fine for ratios, coarse for percentages; it only has to rise with the value -#}
{%- set bucket = 'floor(case when value < 16 then value * 16 else value + 240 end)' -%}
cell_buckets as (
    select
        {{ (names + flags + ['measure']) | join(', ') }},
        {{ bucket }} as bucket,
        sum(n) as n
    from counted
    group by {{ (names + flags + ['measure', bucket]) | join(', ') }}
),

buckets as (
    {% for stratum in strata %}
        select
            {{ stratum_columns(stratum, names) }}
            measure,
            bucket,
            sum(n) as n
        from cell_buckets
        where {{ stratum.get('where', 'true') }}
        group by {{ (stratum['columns'] + ['measure', 'bucket']) | join(', ') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

summed_buckets as (
    select
        *,
        sum(n) over (partition by {{ stratum_key }} order by bucket asc) as n_up_to,
        sum(n) over (partition by {{ stratum_key }}) as n_values
    from buckets
),

wanted_buckets as (
    select *
    from summed_buckets
    where
        {% for first, last in ranks -%}
        (n_up_to >= {{ first }} and n_up_to - n < {{ last }})
        {{ 'or ' if not loop.last }}
        {%- endfor %}
),

wanted_values as (
    select
        *,
        {{ bucket }} as bucket
    from counted
    where
        (measure, {{ bucket }}) in (
            select
                wanted_buckets.measure,
                wanted_buckets.bucket
            from wanted_buckets
        )
),

ranked as (
    {% for stratum in strata %}
        {%- set columns = ['wanted_values.measure'] %}
        {%- for column in stratum['columns'] %}
            {%- do columns.append('wanted_values.' ~ column) %}
        {%- endfor %}
        select
            {{ stratum_columns(stratum, names, 'wanted_values.') }}
            wanted_values.measure,
            wanted_values.value,
            wanted_buckets.n_values,
            wanted_buckets.n_up_to - wanted_buckets.n + sum(sum(wanted_values.n)) over (
                partition by {{ columns | join(', ') }}, wanted_buckets.bucket
                order by wanted_values.value asc
            ) as n_up_to
        from wanted_values
        inner join wanted_buckets
            on
                wanted_values.measure = wanted_buckets.measure
                and wanted_values.bucket = wanted_buckets.bucket
                {%- for name, label in stratum['labels'].items() %}
                and wanted_buckets.{{ name }} = '{{ label }}'
                {%- endfor %}
                {%- for column in stratum['columns'] %}
                and wanted_values.{{ column }} is not distinct from wanted_buckets.{{ column }}
                {%- endfor %}
        where {{ stratum.get('where', 'true') }}
        group by
            {{ columns | join(', ') }}, wanted_values.value, wanted_buckets.bucket,
            wanted_buckets.n, wanted_buckets.n_up_to, wanted_buckets.n_values
        {{ 'union all' if not loop.last }}
    {% endfor %}
)
{%- endmacro %}

{#- Where a quantile lies among n_values sorted values, counted from 0: often between two. -#}
{% macro quantile_position(probability) %}
    {{ return('(n_values - 1) * cast(' ~ probability ~ ' as double)') }}
{% endmacro %}

{#- The two ranks that a quantile lies between, counted from 1. -#}
{% macro quantile_ranks(probability) %}
    {% set position = quantile_position(probability) %}
    {{ return(['floor(' ~ position ~ ') + 1', 'ceil(' ~ position ~ ') + 1']) }}
{% endmacro %}

{#- Aggregate over ranked rows: the value of a rank; null where there is none. -#}
{% macro counted_rank(rank, measure=none) -%}
    min(
        case
            when {{ "measure = '" ~ measure ~ "' and " if measure }}{{ rank }} >= 1 and n_up_to >= {{ rank }}
                then value
        end
    )
{%- endmacro %}

{#- Aggregate over ranked rows: a quantile, interpolated between its two ranks. -#}
{% macro counted_quantile(probability, measure=none) -%}
    {%- set ranks = quantile_ranks(probability) -%}
    {%- set part = quantile_position(probability) ~ ' + 1 - (' ~ ranks[0] ~ ')' -%}
    {%- if measure -%}
        {%- set part = "case when measure = '" ~ measure ~ "' then " ~ part ~ ' end' -%}
    {%- endif -%}
    {{ counted_rank(ranks[0], measure) }}
    + ({{ counted_rank(ranks[1], measure) }} - {{ counted_rank(ranks[0], measure) }}) * max({{ part }})
{%- endmacro %}

{#-
    Columns of a query that groups: {column: (measure, probability)}, those of a measure at once.
-#}
{% macro engine_quantiles(wanted) -%}
    {%- set probabilities = wanted.values() | map('last') | unique | list -%}
    {%- for column, (measure, probability) in wanted.items() %}
    {%- set all_quantiles = quantiles(measure, probabilities) %}
    {{ list_item(all_quantiles, probabilities.index(probability) + 1) }} as {{ column }}
    {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
