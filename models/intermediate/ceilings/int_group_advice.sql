with

events as (
    select *{{ further_label_columns('labels') }}
    from {{ ref('int_events') }}
),

demand as (
    select * from {{ ref('int_demand') }}
),

max_tokens as (
    select * from {{ ref('max_tokens') }}
),

history as (
    select * from {{ ref('int_demand_history') }}
),

rates as (
    {{ rate_rows(var('truncation_rates')) }}
),

clock as (
    select * from {{ ref('int_window') }}
),

calls as (
    select
        events.*,
        events.occurred_at > {{ recent_from('clock.ends_at') }} as is_recent,
        {{ is_in_window('events.occurred_at', 'clock.ends_at') }} as is_in_window,
        history.is_observed,
        demand.excluded_reason is not null as is_left_out,
        {{ known_ceiling('events.') }} as ceiling_tokens
    from events
    cross join clock
    left join demand
        on events.event_id = demand.event_id
    left join history
        on events.event_id = history.event_id
    where
        {{ is_real_call('demand.excluded_reason') }}
        and {{ is_until_as_of('events.occurred_at') }}
),

placed as (
    select
        *,
        {{ group_level() }} as cell_level
    from calls
),

labelled as (
    select
        occurred_at,
        actual_output_tokens,
        actual_max_tokens,
        ceiling_tokens,
        is_truncated,
        -- what something else cut off, or before the window, says nothing about the ceiling of now
        case when is_in_window and not {{ is_cut_off_elsewhere() }} then is_truncated end
            as is_cut_by_ceiling,
        is_in_window and is_truncated and {{ is_cut_off_elsewhere() }} as is_cut_off_elsewhere,
        is_left_out,
        is_recent,
        is_observed,
        stop_class,
        cell_level,
        {{ group_columns() }},
        -- a group spans the estimates of all sizes
        cast(null as string) as estimate_bin
    from placed
),

named as (
    select
        *,
        {{ label_object() }} as labels
    from labelled
),

ceilings as (
    {{ present_ceilings('named', 'cell_level, labels') }}
),

present as (
    select
        cell_level,
        labels,
        max(case when commonness = 1 then ceiling_tokens end) as usual_ceiling_tokens,
        min(ceiling_tokens) as least_ceiling_tokens,
        max(ceiling_tokens) as most_ceiling_tokens,
        min(present_from) as present_from,
        {{ ratio('sum(n * ceiling_tokens)', 'sum(n)') }} as mean_ceiling_tokens
    from ceilings
    group by cell_level, labels
),

-- what is cut off below the commonest ceiling of now says nothing against it
compared as (
    select
        named.*,
        coalesce(named.ceiling_tokens >= present.usual_ceiling_tokens, true) as has_usual_ceiling,
        named.occurred_at >= present.present_from as is_present
    from named
    left join present
        on
            named.cell_level = present.cell_level
            and named.labels = present.labels
),

-- a group spans the estimates of all sizes, all models and inputs
counted as (
    select
        cell_level,
        labels,
        cast(null as string) as estimate_bin,
        cast(null as string) as model,
        cast(null as bigint) as input_bin,
        {% for of, among in [
            ('ceiling', 'true'), ('recent_ceiling', 'is_recent'), ('present', 'is_present'),
            ('usual', 'has_usual_ceiling'), ('recent_usual', 'has_usual_ceiling and is_recent'),
        ] -%}
            count(case when {{ among }} then is_cut_by_ceiling end) as n_{{ of }}_known,
            count(case when {{ among }} and is_cut_by_ceiling then 1 end) as n_{{ of }}_truncated,
        {% endfor -%}
        {% for name in labels() -%}
            max({{ label_column(name) }}) as {{ label_column(name) }},
        {% endfor -%}
        count(*) as n,
        count(is_truncated) as n_known,
        sum(case when is_truncated then 1 else 0 end) as n_truncated,
        sum(case when is_cut_off_elsewhere then 1 else 0 end) as n_cut_off_elsewhere,
        sum(case when is_observed then 1 else 0 end) as n_observed,
        sum(case when stop_class = 'unrecorded' then 1 else 0 end) as n_without_stop_word,
        sum(case when is_left_out then 1 else 0 end) as n_left_out,
        count(ceiling_tokens) as n_with_ceiling,
        count(actual_max_tokens) as n_with_recorded_ceiling,
        max(actual_output_tokens) as most_output_tokens
    from compared
    group by cell_level, labels
),

asked as (
    select
        *,
        {{ key_of(asked_columns() + ['model', 'input_bin']) }} as asked_key,
        {{ group_name() }} as call_group
    from counted
),

rated as (
    select
        asked.*,
        present.usual_ceiling_tokens,
        present.least_ceiling_tokens,
        present.most_ceiling_tokens,
        rates.rate as max_truncation,
        max_tokens.is_identified,
        max_tokens.max_tokens as budget_tokens,
        asked.n_with_ceiling * present.mean_ceiling_tokens as reserved_tokens,
        coalesce(max_tokens.clamped_by <> '', false) as is_clamped,
        coalesce(max_tokens.quantile_rate <= rates.rate, false) as has_quantile,
        {{ ratio('asked.n_truncated', 'asked.n_known') }} as truncation_rate,
        {% for of, name in [('ceiling', 'cut_off'), ('usual', 'usual_cut_off')] %}
            {{ ratio('asked.n_' ~ of ~ '_truncated', 'asked.n_' ~ of ~ '_known') }} > rates.rate
            or {{ wilson_lower(
                'asked.n_recent_' ~ of ~ '_truncated', 'asked.n_recent_' ~ of ~ '_known'
            ) }} > rates.rate
                as is_{{ name }},
        {% endfor %}
        {% for of, name in [('present', 'cut_off_now'), ('usual', 'usual_surely_cut_off')] %}
            coalesce(
                {{ wilson_lower('asked.n_' ~ of ~ '_truncated', 'asked.n_' ~ of ~ '_known') }}
                > rates.rate, false
            ) as is_{{ name }},
        {% endfor %}
        {{ has_enough_events('asked.n_observed', 'rates.rate') }} as has_enough_calls
    from asked
    cross join rates
    left join present
        on
            asked.cell_level = present.cell_level
            and asked.labels = present.labels
    left join max_tokens
        on
            {{ key_of(['asked.asked_key', plain_number('rates.rate')]) }}
            = max_tokens.max_tokens_key
),

judged as (
    select
        *,
        {{ ceiling_case() }} as advice_case
    from rated
),

final as (
    select
        call_group,
        labels,
        max_truncation,
        cast(n as bigint) as n,
        cast(n_known as bigint) as n_known,
        cast(n_truncated as bigint) as n_truncated,
        truncation_rate,
        cast(n_without_stop_word as bigint) as n_without_stop_word,
        cast(n_left_out as bigint) as n_left_out,
        cast(n_with_ceiling as bigint) as n_with_ceiling,
        cast(n_with_recorded_ceiling as bigint) as n_with_recorded_ceiling,
        usual_ceiling_tokens,
        least_ceiling_tokens,
        most_ceiling_tokens,
        most_output_tokens,
        cast(n_observed as bigint) as n_observed,
        has_enough_calls,
        has_quantile,
        is_cut_off_now,
        {{ ceiling_verdict() }} as verdict,
        {{ ceiling_reason() }} as reason,
        case when advice_case in ('no_ceiling', 'raise', 'leave', 'lower') then budget_tokens end
            as proposed_tokens,
        advice_case in ('no_ceiling', 'raise', 'leave', 'lower') and not is_identified
            as is_at_least,
        cast({{ rounded('reserved_tokens') }} as bigint) as reserved_tokens,
        case
            when advice_case = 'lower'
                then
                    cast({{ rounded('reserved_tokens') }} as bigint)
                    - n_with_ceiling * budget_tokens
        end as freed_tokens
    from judged
)

select * from final
