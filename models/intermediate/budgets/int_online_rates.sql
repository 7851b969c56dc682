with

demand as {{ inlined() }} (
    select * from {{ ref('int_demand') }}
),

horizon as (
    select * from {{ ref('int_window') }}
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

final as (
    select
        {{ key_of(['top_label', 'model', plain_number('max_truncation')]) }} as rate_key,
        top_label,
        {{ top_label_object() }} as labels,
        model,
        max_truncation,
        cast(n_tables as bigint) as n_tables,
        cast(n_calls as bigint) as n_calls,
        cast(n_truncated as bigint) as n_truncated,
        {{ ratio('n_truncated', 'n_calls') }} as truncation_rate,
        ln_factor,
        exp(ln_factor) as budget_factor,
        model is null or n_calls >= {{ var('online_calls') }} as is_used
    from bounded
)

select * from final
