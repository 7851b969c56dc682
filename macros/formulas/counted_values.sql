{#-
    Exact quantiles of many values, group by group. An engine's own quantile keeps every value
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

{#-
    The steps from `counted` to `ranked`: the values of each group of `names` around the wanted
    ranks, with n_up_to (values of the group up to this one) and n_values (all of them). `ranks` are
    pairs of expressions over n_values, from which and to which rank, counted from 1. With `strata`, a
    relation of cell_key and `names`, counted has cells, and a cell lies in many groups.
-#}
{% macro ranked_values(names, ranks, strata=none) %}
{%- set cell = ['cell_key'] if strata else names -%}
{%- set group = names + ['measure'] -%}
{%- set wanted = 'wanted_cells' if strata else 'wanted_buckets' -%}
cell_buckets as (
    select
        {{ (cell + ['measure']) | join(', ') }},
        {{ value_bucket('value') }} as bucket,
        sum(n) as n
    from counted
    group by {{ (cell + ['measure', value_bucket('value')]) | join(', ') }}
),

buckets as (
    select
        {{ group | join(', ') }},
        bucket,
        sum(n) as n
    from cell_buckets
    {{ 'inner join ' ~ strata ~ ' on cell_buckets.cell_key = ' ~ strata ~ '.cell_key' if strata }}
    group by {{ group | join(', ') }}, bucket
),

summed_buckets as (
    select
        *,
        sum(n) over (partition by {{ group | join(', ') }} order by bucket asc) as n_up_to,
        sum(n) over (partition by {{ group | join(', ') }}) as n_values
    from buckets
),

wanted_buckets as (
    select
        *,
        row_number() over (order by {{ group | join(', ') }}, bucket) as bucket_no
    from summed_buckets
    where
        {% for first, last in ranks -%}
        (n_up_to >= {{ first }} and n_up_to - n < {{ last }})
        {{ 'or ' if not loop.last }}
        {%- endfor %}
),

{% if strata -%}
-- as one text: thousands of strata share a bucket, and no cell is to meet them all
wanted_cells as (
    select
        cell_buckets.cell_key,
        wanted_buckets.measure,
        wanted_buckets.bucket,
        wanted_buckets.bucket_no
    from cell_buckets
    inner join {{ strata }}
        on cell_buckets.cell_key = {{ strata }}.cell_key
    inner join wanted_buckets
        on
            {{ bucket_key(strata, 'cell_buckets', names) }}
            = {{ bucket_key('wanted_buckets', 'wanted_buckets', names) }}
    where
        (cell_buckets.measure, cell_buckets.bucket) in (
            select
                wanted.measure,
                wanted.bucket
            from wanted_buckets as wanted
        )
),

{% endif -%}
wanted_values as (
    select
        {{ wanted }}.bucket_no,
        counted.value,
        sum(counted.n) as n
    from counted
    inner join {{ wanted }}
        on
            counted.measure = {{ wanted }}.measure
            and {{ value_bucket('counted.value') }} = {{ wanted }}.bucket
            {%- for name in cell %}
            and counted.{{ name }}
                {{ '=' if strata else 'is not distinct from' }} {{ wanted }}.{{ name }}
            {%- endfor %}
    group by {{ wanted }}.bucket_no, counted.value
),

ranked as (
    select
        wanted_buckets.{{ group | join(', wanted_buckets.') }},
        wanted_values.value,
        wanted_buckets.n_values,
        wanted_buckets.n_up_to - wanted_buckets.n + sum(wanted_values.n) over (
            partition by wanted_values.bucket_no
            order by wanted_values.value asc
        ) as n_up_to
    from wanted_values
    inner join wanted_buckets
        on wanted_values.bucket_no = wanted_buckets.bucket_no
)
{%- endmacro %}

{#- Text: a bucket of a measure in a group, which `names` of `group` tell, none of them null. -#}
{% macro bucket_key(group, relation, names) -%}
    concat_ws(
        '|', {{ group }}.{{ names | join(', ' ~ group ~ '.') }}, {{ relation }}.measure,
        cast({{ relation }}.bucket as string)
    )
{%- endmacro %}

{#- The coarse bucket of a value: fine for ratios, coarse for percentages; it only has to rise. -#}
{% macro value_bucket(value) -%}
    floor(case when {{ value }} < 16 then {{ value }} * 16 else {{ value }} + 240 end)
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
