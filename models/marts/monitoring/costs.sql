with

demand as {{ inlined() }} (
    select * from {{ ref('int_demand') }}
),

events as {{ inlined() }} (
    select * from {{ ref('int_events') }}
),

models as (
    select * from {{ ref('int_models') }}
),

-- copies and test rows are nobody's calls; an earlier attempt of a call is paid for like any other
calls as (
    select
        coalesce(events.model, 'unknown') as model,
        {{ week_start('events.occurred_at') }} as week_start,
        events.input_tokens,
        events.actual_output_tokens,
        events.is_truncated,
        coalesce(events.actual_max_tokens, events.selected_budget) as ceiling_tokens
    from events
    left join demand
        on events.event_id = demand.event_id
    where
        {{ is_real_call('demand.excluded_reason') }}
        and {{ is_until_as_of('events.occurred_at') }}
),

summed as (
    select
        model,
        week_start,
        count(*) as n,
        count(input_tokens) as n_with_input,
        count(case when is_truncated then 1 end) as n_cut_off,
        count(ceiling_tokens) as n_with_ceiling,
        sum(input_tokens) as input_tokens,
        sum(actual_output_tokens) as output_tokens,
        sum(case when is_truncated then actual_output_tokens else 0 end) as cut_off_tokens,
        sum(case when is_truncated then coalesce(input_tokens, 0) else 0 end)
            as cut_off_input_tokens,
        sum(ceiling_tokens) as reserved_tokens,
        sum(case when ceiling_tokens is not null then actual_output_tokens end) as used_tokens
    from calls
    group by model, week_start
),

final as (
    select
        {{ key_of(['summed.model', 'cast(summed.week_start as date)']) }} as cost_key,
        summed.model,
        cast(summed.week_start as date) as week_start,
        summed.n,
        summed.n_with_input,
        summed.n_cut_off,
        summed.n_with_ceiling,
        cast(summed.input_tokens as bigint) as input_tokens,
        cast(summed.output_tokens as bigint) as output_tokens,
        cast(summed.cut_off_tokens as bigint) as cut_off_tokens,
        cast(summed.reserved_tokens as bigint) as reserved_tokens,
        {{ ratio('summed.reserved_tokens', 'summed.used_tokens') }} as reserved_ratio,
        {{ money('summed.output_tokens', 'models.output_price') }}
        + {{ money('coalesce(summed.input_tokens, 0)', 'models.input_price') }} as spent,
        {{ money('summed.cut_off_tokens', 'models.output_price') }}
        + {{ money('summed.cut_off_input_tokens', 'models.input_price') }} as spent_on_cut_off,
        coalesce(models.price_source, 'unknown') as price_source
    from summed
    left join models
        on summed.model = models.model
)

select * from final
