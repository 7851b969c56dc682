{% set stratifications = {
    'overall': [],
    'category': ['category'],
    'category_complexity': ['category', 'complexity'],
} %}

with

scored_calls as (
    select * from {{ source('backtest', 'scored_calls') }}
),

calls as (
    select
        subject,
        max_truncation,
        is_observed,
        coalesce(category, 'unknown') as category,
        coalesce(complexity, 'unknown') as complexity,
        demand_tokens > budget_tokens
        or (not is_observed and demand_tokens >= budget_tokens) as is_truncated,
        not is_observed and demand_tokens < budget_tokens as is_undecidable,
        case when is_observed then budget_tokens end as reserved_tokens,
        case when is_observed then demand_tokens end as used_tokens,
        case
            when is_observed
                then {{ pinball('demand_tokens', 'budget_tokens', 'max_truncation') }}
        end as pinball_loss
    from scored_calls
),

strata as (
    {% for stratification, columns in stratifications.items() %}
        select
            '{{ stratification }}' as stratification,
            subject,
            max_truncation,
            {% for column in ['category', 'complexity'] %}
                {{ column if column in columns else "'all'" }} as {{ column }},
            {% endfor %}
            count(*) as n,
            count(case when is_truncated then 1 end) as n_truncated,
            count(case when is_undecidable then 1 end) as n_undecidable,
            avg(pinball_loss) as pinball_loss,
            {{ quantiles(ratio('reserved_tokens', 'used_tokens'), [0.5, 0.9]) }} as ceiling_ratios,
            {{ ratio('sum(reserved_tokens)', 'sum(used_tokens)') }} as reserved_ratio
        from calls
        group by {{ (['subject', 'max_truncation'] + columns) | join(', ') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (
    select
        subject,
        max_truncation,
        stratification,
        category,
        complexity,
        n,
        n_truncated,
        n_undecidable,
        {{ ratio('n_truncated', 'n') }} as truncation_low,
        {{ ratio('n_truncated + n_undecidable', 'n') }} as truncation_high,
        {{ wilson_lower('n_truncated', 'n') }} as wilson_low,
        {{ wilson_upper('(n_truncated + n_undecidable)', 'n') }} as wilson_high,
        pinball_loss,
        {{ list_item('ceiling_ratios', 1) }} as p50_ceiling_ratio,
        {{ list_item('ceiling_ratios', 2) }} as p90_ceiling_ratio,
        reserved_ratio
    from strata
)

select * from final
