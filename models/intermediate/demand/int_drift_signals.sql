with

history as (
    select * from {{ ref('int_demand_history') }}
    where category is not null
),

numbered as (
    select
        *,
        row_number() over (
            partition by category
            order by occurred_at desc, call_id desc
        ) <= {{ var('drift_calls') }} as is_now
    from history
),

before as (
    select
        category,
        count(*) as n_before,
        {{ list_item(quantiles('demand_tokens', [0.5]), 1) }} as median_before,
        {{ quantiles('demand_tokens', [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]) }} as bounds
    from numbered
    where not is_now
    group by category
),

-- what a ceiling of somebody else's cut off says nothing against a table
truncated as (
    select
        category,
        count(*) as n_now,
        count(case when is_first_truncated then 1 end) as n_truncated,
        {{ rounded('avg(first_max_truncation)', 6) }} as asked_truncation
    from numbered
    where is_now and is_first_under_quantile and is_first_truncated is not null
    group by category
),

truncation as (
    select
        category,
        'truncation' as signal_name,
        n_now,
        cast(0 as bigint) as n_before,
        {{ ratio('n_truncated', 'n_now') }} as figure,
        {{ wilson_lower('n_truncated', 'n_now') }} as figure_low,
        {{ wilson_upper('n_truncated', 'n_now') }} as figure_high,
        asked_truncation as threshold
    from truncated
),

placed as (
    select
        numbered.category,
        numbered.is_now,
        numbered.demand_tokens,
        before.n_before,
        before.median_before,
        {{ decile_of('numbered.demand_tokens', 'before.bounds') }} as decile
    from numbered
    inner join before
        on numbered.category = before.category
),

-- half of the calls now should need more than the median call before
shifted as (
    select
        category,
        n_before,
        count(*) as n_now,
        count(case when demand_tokens > median_before then 1 end) as n_above,
        count(case when demand_tokens <> median_before then 1 end) as n_decided
    from placed
    where is_now
    group by category, n_before
),

bias as (
    select
        category,
        'bias' as signal_name,
        n_now,
        n_before,
        {{ ratio('n_above', 'n_decided') }} as figure,
        {{ wilson_lower('n_above', 'n_decided') }} as figure_low,
        {{ wilson_upper('n_above', 'n_decided') }} as figure_high,
        cast(0.5 as double) as threshold
    from shifted
),

deciles as (
    select
        category,
        decile,
        count(case when is_now then 1 end) as n_now_in_decile,
        count(case when not is_now then 1 end) as n_before_in_decile
    from placed
    group by category, decile
),

stability as (
    select
        shifted.category,
        'stability' as signal_name,
        shifted.n_now,
        shifted.n_before,
        sum(
            {{ stability_part(
                'deciles.n_now_in_decile', 'shifted.n_now',
                'deciles.n_before_in_decile', 'shifted.n_before',
            ) }}
        ) as figure,
        cast(null as double) as figure_low,
        cast(null as double) as figure_high,
        cast({{ var('drift_act') }} as double) as threshold
    from shifted
    inner join deciles
        on shifted.category = deciles.category
    group by shifted.category, shifted.n_now, shifted.n_before
),

signals as (
    select * from truncation
    union all
    select * from bias
    union all
    select * from stability
),

final as (
    select
        {{ key_of(['category', 'signal_name']) }} as signal_key,
        category,
        signal_name,
        cast(n_now as bigint) as n_now,
        cast(n_before as bigint) as n_before,
        figure,
        figure_low,
        figure_high,
        threshold,
        {{ drift_state() }} as state
    from signals
)

select * from final
