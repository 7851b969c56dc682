with

history as (
    select * from {{ ref('int_demand_history') }}
),

demand as (
    select * from {{ ref('int_demand') }}
),

window_of_calls as (
    select
        min(occurred_at) as begins_at,
        max(occurred_at) as ends_at
    from history
),

failed_calls as (
    select
        demand.{{ top_label() }} as top_label,
        demand.actual_output_tokens as demand_tokens
    from demand
    cross join window_of_calls
    where
        demand.excluded_reason = 'failed'
        and demand.{{ top_label() }} is not null
        and demand.occurred_at between window_of_calls.begins_at and window_of_calls.ends_at
),

with_failures as (
    select distinct top_label
    from failed_calls
),

-- every value of the widest label that has failed calls twice: as it is calibrated, and with them
variants as (
    select
        history.{{ top_label() }} as top_label,
        false as has_failed,
        history.demand_tokens,
        history.is_observed
    from history
    inner join with_failures
        on history.{{ top_label() }} = with_failures.top_label

    union all

    select
        history.{{ top_label() }} as top_label,
        true as has_failed,
        history.demand_tokens,
        history.is_observed
    from history
    inner join with_failures
        on history.{{ top_label() }} = with_failures.top_label

    union all

    select
        top_label,
        true as has_failed,
        demand_tokens,
        true as is_observed
    from failed_calls
),

counted as (
    select
        top_label,
        has_failed,
        demand_tokens,
        count(*) as n_calls,
        sum(case when is_observed then 1 else 0 end) as n_observed
    from variants
    group by top_label, has_failed, demand_tokens
),

at_risk as (
    select
        *,
        sum(n_calls) over (
            partition by top_label, has_failed
            order by demand_tokens desc
            rows between unbounded preceding and current row
        ) as n_at_risk
    from counted
),

survival as (
    select
        *,
        sum({{ ln_survival_step('n_observed', 'n_at_risk') }}) over (
            partition by top_label, has_failed
            order by demand_tokens asc
            rows between unbounded preceding and current row
        ) as ln_survival
    from at_risk
),

rates as (
    {{ rate_rows(var('truncation_rates')) }}
),

sized as (
    select
        survival.top_label,
        survival.has_failed,
        rates.rate as max_truncation,
        sum(survival.n_calls) as n,
        sum(survival.n_observed) as n_observed
    from survival
    cross join rates
    group by survival.top_label, survival.has_failed, rates.rate
),

quantiles as (
    select
        sized.top_label,
        sized.has_failed,
        sized.max_truncation,
        sized.n,
        case
            when {{ has_enough_events('sized.n_observed', 'sized.max_truncation') }}
                then
                    {{ survival_quantile(
                        'survival.demand_tokens',
                        'survival.ln_survival',
                        conformal_share('sized.n_observed', 'sized.max_truncation'),
                    ) }}
        end as quantile_tokens
    from sized
    inner join survival
        on
            sized.top_label = survival.top_label
            and sized.has_failed = survival.has_failed
    group by
        sized.top_label,
        sized.has_failed,
        sized.max_truncation,
        sized.n,
        sized.n_observed
),

compared as (
    select
        included.top_label,
        included.max_truncation,
        included.quantile_tokens as included_quantile_tokens,
        calibrated.quantile_tokens,
        coalesce(calibrated.n, 0) as n,
        included.n - coalesce(calibrated.n, 0) as n_failed,
        {{ ratio('included.quantile_tokens', 'calibrated.quantile_tokens') }} as quantile_ratio
    from quantiles as included
    left join quantiles as calibrated
        on
            included.top_label = calibrated.top_label
            and included.max_truncation = calibrated.max_truncation
            and not calibrated.has_failed
    where included.has_failed
),

final as (
    select
        {{ key_of(['top_label', plain_number('max_truncation')]) }} as sensitivity_key,
        top_label,
        max_truncation,
        cast(n as bigint) as n,
        cast(n_failed as bigint) as n_failed,
        cast(quantile_tokens as bigint) as quantile_tokens,
        cast(included_quantile_tokens as bigint) as included_quantile_tokens,
        quantile_ratio,
        abs(quantile_ratio - 1) > cast({{ var('failed_call_shift') }} as double) as is_sensitive
    from compared
)

select * from final
