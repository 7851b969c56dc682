with

asked as (
    select * from {{ ref('int_asked_cells') }}
),

resolved as (
    select * from {{ ref('int_resolved_quantiles') }}
),

floors as (
    select * from {{ ref('int_cold_floors') }}
),

models as (
    select * from {{ ref('int_models') }}
),

coefficients as (
    select * from {{ ref('coefficients') }}
),

rates as (
    {{ rate_rows(var('truncation_rates')) }}
),

constants as (
    select
        cast(max(case when name = 'min_budget' then value end) as bigint) as least_tokens,
        cast(max(case when name = 'max_budget' then value end) as bigint) as most_tokens,
        max(case when kind = 'budget' and labels = '{}' and model is null then n end) as n_known
    from coefficients
    where kind in ('constant', 'budget')
),

rated as (
    select
        asked.*,
        rates.rate as max_truncation,
        resolved.quantile_rate,
        resolved.quantile_tokens,
        resolved.n,
        resolved.is_identified,
        resolved.source,
        floors.floor_tokens,
        constants.least_tokens,
        constants.most_tokens,
        models.max_output,
        models.context_window,
        models.max_input,
        models.output_price,
        cast(ceil({{ least_of_class('asked.input_bin', 4) }} - 1e-9) as bigint) as input_tokens,
        -- too few calls are known in all for the rate: the strictest one answers, and the floor
        resolved.asked_key is null
        or (
            resolved.quantile_rate > rates.rate
            and coalesce(constants.n_known, 0) < 1 / rates.rate - 1
        ) as has_floor
    from asked
    cross join rates
    cross join constants
    left join resolved
        on
            asked.asked_key = resolved.asked_key
            and rates.rate = resolved.max_truncation
    left join floors
        on asked.asked_key = floors.asked_key
    left join models
        on asked.model = models.model
),

wanted as (
    select
        *,
        has_floor and (quantile_tokens is null or floor_tokens > quantile_tokens) as is_floor
    from rated
    -- the floor of a call with deliverables is that of its own estimate, and of no cell
    where not has_floor or floor_tokens is not null
),

sized as (
    select
        *,
        greatest(case when is_floor then floor_tokens else quantile_tokens end, least_tokens)
            as wanted_tokens,
        coalesce(max_output, most_tokens) as model_tokens,
        coalesce(
            input_tokens > nullif(max_input, 0)
            or context_window - coalesce(input_tokens, 0) < least_tokens,
            false
        ) as is_over_window
    from wanted
),

limited as (
    select
        *,
        case
            when is_over_window then model_tokens
            else
                least(
                    model_tokens,
                    coalesce(context_window - coalesce(input_tokens, 0), model_tokens)
                )
        end as limit_tokens
    from sized
),

final as (
    select
        {{ key_of(['asked_key', plain_number('max_truncation')]) }} as max_tokens_key,
        {% for name in estimator_labels() %}
            {{ 'coalesce(' ~ name ~ ", 'all')" if name in labels() else "'all'" }}
                as {{ name }},
        {% endfor %}
        labels,
        coalesce(estimate_bin, 'all') as estimate_bin,
        coalesce(model, 'all') as model,
        coalesce(cast(input_bin as string), 'all') as input_bin,
        input_tokens,
        max_truncation,
        is_seen,
        least(wanted_tokens, limit_tokens) as max_tokens,
        case when is_floor then 'cold-start floor' else source end as source,
        case when is_floor then null else quantile_rate end as quantile_rate,
        cast(case when is_floor then 0 else n end as bigint) as n,
        not is_floor and is_identified and not is_over_window and wanted_tokens <= limit_tokens
            as is_identified,
        case
            when is_over_window then 'input_over_window'
            when wanted_tokens <= limit_tokens then ''
            when limit_tokens < model_tokens then 'context_window'
            when max_output is not null then 'max_output'
            else 'max_budget'
        end as clamped_by,
        1000 * least(wanted_tokens, limit_tokens) as reserved_per_1000,
        output_price * least(wanted_tokens, limit_tokens) / 1000 as most_cost_per_1000
    from limited
)

select * from final
