{% set cell = asked_columns() + ['model', 'input_bin'] %}
with

history as (
    select
        *,
        {{ key_of(cell) }} as asked_key,
        {{ group_level() }} as cell_level
    from {{ ref('int_demand_history') }}
),

max_tokens as (
    select * from {{ ref('max_tokens') }}
),

events as (
    select * from {{ ref('int_events') }}
),

placed as (
    select
        history.occurred_at,
        history.demand_tokens,
        history.is_observed,
        history.is_first_truncated,
        coalesce(history.model, 'unknown') as model,
        {{ group_columns('history') }},
        max_tokens.max_tokens as proposed_tokens,
        max_tokens.most_cost_per_1000,
        events.actual_output_tokens,
        {{ known_ceiling('events.') }} as ceiling_tokens
    from history
    left join max_tokens
        on
            {{ key_of(['history.asked_key', plain_number(advised_rate())]) }}
            = max_tokens.max_tokens_key
    left join events
        on history.event_id = events.event_id
),

named as (
    select
        *,
        {{ label_object(most=label_level()) }} as labels
    from placed
),

ceilings as (
    {{ present_ceilings('named', 'labels, model') }}
),

compared as (
    select
        named.*,
        ceilings.ceiling_tokens as usual_ceiling_tokens
    from named
    left join ceilings
        on
            named.labels = ceilings.labels
            and named.model = ceilings.model
            and ceilings.commonness = 1
),

-- a call that was cut off below the proposed ceiling may fit it or not
final as (
    select
        {{ key_of(['labels', 'model']) }} as outcome_key,
        labels,
        model,
        count(*) as n,
        count(is_first_truncated) as n_known,
        count(case when is_first_truncated then 1 end) as n_truncated,
        count(proposed_tokens) as n_proposed,
        count(
            case
                when is_observed and demand_tokens > proposed_tokens then 1
                when not is_observed and demand_tokens >= proposed_tokens then 1
            end
        ) as n_cut_off_then,
        count(case when not is_observed and demand_tokens < proposed_tokens then 1 end)
            as n_undecided_then,
        max(usual_ceiling_tokens) as usual_ceiling_tokens,
        {{ list_item(quantiles('proposed_tokens', [0.5]), 1) }} as median_proposed,
        cast(sum(ceiling_tokens) as bigint) as reserved_tokens,
        cast(sum(case when ceiling_tokens is not null then actual_output_tokens end) as bigint)
            as used_tokens,
        -- beside the ceilings that were sent, so of the calls that say theirs
        cast(sum(case when ceiling_tokens is not null then proposed_tokens end) as bigint)
            as reserved_then_tokens,
        cast(
            sum(
                case
                    when ceiling_tokens is not null and proposed_tokens is not null
                        then actual_output_tokens
                end
            ) as bigint
        ) as used_then_tokens,
        avg(most_cost_per_1000) as most_cost_per_1000
    from compared
    group by labels, model
)

select * from final
