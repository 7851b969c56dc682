with

demand as {{ inlined() }} (
    select * from {{ ref('int_demand') }}
),

horizon as (
    select * from {{ ref('int_window') }}
),

rates as (
    {{ rate_rows(var('truncation_rates')) }}
),

-- only calls that a quantile sized say whether quantiles hold, each at its own rate
judged as (
    select
        demand.{{ top_label() }} as top_label,
        demand.model,
        demand.first_coefficients_id,
        {{ rate_of_table('demand.first_max_truncation') }} as max_truncation,
        demand.is_first_truncated
    from demand
    cross join horizon
    where
        demand.is_first_under_quantile
        and demand.is_first_truncated is not null
        and {{ is_in_window('demand.occurred_at', 'horizon.ends_at') }}
        and {{ is_real_call('demand.excluded_reason') }}
),

-- a table's calls are judged by themselves: each table starts where the one before it ended
tables as (
    {% for model in ['cast(null as string)', 'model'] %}
        select
            top_label,
            {{ model }} as model,
            max_truncation,
            first_coefficients_id,
            count(*) as n_calls,
            sum(case when is_first_truncated then 1 else 0 end) as n_truncated
        from judged
        {{ 'where model is not null' if model == 'model' }}
        group by top_label, {{ 'model, ' if model == 'model' }}max_truncation, first_coefficients_id
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

moved as (
    select
        top_label,
        model,
        max_truncation,
        count(*) as n_tables,
        sum(n_calls) as n_calls,
        sum(n_truncated) as n_truncated,
        sum({{ online_move('n_calls', 'n_truncated', 'max_truncation') }}) as ln_factor
    from tables
    group by top_label, model, max_truncation
),

bounded as (
    select
        top_label,
        model,
        max_truncation,
        n_tables,
        n_calls,
        n_truncated,
        {{ within_bounds('ln_factor', '-' ~ var('online_most'), var('online_most')) }} as ln_factor
    from moved
),

-- a rate that no call was judged at is moved as the nearest one is
ranked as (
    select
        bounded.*,
        rates.rate,
        row_number() over (
            partition by bounded.top_label, bounded.model, rates.rate
            order by
                greatest(
                    bounded.max_truncation / rates.rate, rates.rate / bounded.max_truncation
                ) asc,
                bounded.max_truncation asc
        ) as choice
    from bounded
    cross join rates
),

final as (
    select
        {{ key_of(['top_label', 'model', plain_number('rate')]) }} as rate_key,
        top_label,
        {{ top_label_object() }} as labels,
        model,
        rate as max_truncation,
        max_truncation as judged_max_truncation,
        cast(n_tables as bigint) as n_tables,
        cast(n_calls as bigint) as n_calls,
        cast(n_truncated as bigint) as n_truncated,
        {{ ratio('n_truncated', 'n_calls') }} as truncation_rate,
        ln_factor,
        exp(ln_factor) as budget_factor,
        model is null or n_calls >= {{ var('online_calls') }} as is_used
    from ranked
    where choice = 1
)

select * from final
