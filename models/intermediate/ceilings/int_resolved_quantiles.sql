{% set of_model = asked_columns() | length + 1 %}
with

asked as (
    select * from {{ ref('int_asked_cells') }}
),

matches as (
    select * from {{ ref('int_cell_matches') }}
),

coefficients as {{ inlined() }} (
    select
        kind,
        name,
        labels,
        model,
        input_bin,
        position,
        max_truncation,
        n,
        coalesce(label = 'identified', false) as is_identified,
        {{ exported_number('value') }} as value,
        {{ exported_number('confidence') }} as share,
        {{ key_of(['labels', 'model', 'input_bin']) }} as cell_text
    from {{ ref('coefficients') }}
    where kind in ('budget', 'median', 'so_far', 'so_far_quantile', 'online_rate')
),

rates as (
    {{ rate_rows(var('truncation_rates')) }}
),

-- of each cell the loosest of its rates that is not above the one asked for, else the strictest
ranked as (
    select
        coefficients.*,
        rates.rate as asked_rate,
        row_number() over (
            partition by coefficients.cell_text, rates.rate
            order by
                case when coefficients.max_truncation <= rates.rate then 0 else 1 end asc,
                abs(coefficients.max_truncation - rates.rate) asc
        ) as choice
    from coefficients
    cross join rates
    where coefficients.kind = 'budget'
),

quantiles as (
    select * from ranked
    where choice = 1
),

medians as (
    select * from coefficients
    where kind = 'median'
),

so_far as (
    select * from coefficients
    where kind = 'so_far'
),

so_far_quantiles as (
    select * from coefficients
    where kind = 'so_far_quantile'
),

online_rates as (
    select * from coefficients
    where kind = 'online_rate'
),

of_all as (
    select
        max(
            case
                when kind = 'median' and labels = '{}' and model is null and input_bin is null
                    then value
            end
        ) as median_tokens,
        max(case when kind = 'so_far' and model is not null then 1 else 0 end) = 1 as has_models
    from coefficients
),

found as (
    select
        asked.asked_key,
        asked.top_label_text,
        asked.model,
        asked.cell_level,
        matches.budget_level,
        matches.label_level,
        matches.label_cell,
        matches.label_median_cell,
        quantiles.asked_rate,
        quantiles.max_truncation as quantile_rate,
        quantiles.value as tokens,
        quantiles.n,
        quantiles.is_identified,
        of_all.median_tokens,
        asked.top_label_text <> '{}' as has_label,
        (matches.budget_level < {{ of_model }} and asked.model is not null and of_all.has_models)
        or (matches.budget_level = 0 and asked.top_label_text <> '{}') as is_new
    from asked
    inner join matches
        on asked.asked_key = matches.asked_key
    inner join quantiles
        on matches.budget_cell = quantiles.cell_text
    cross join of_all
),

effects as (
    select
        found.*,
        case when found.has_label then {{ known_bin('coalesce(of_label.n, 0)') }} end as label_bin,
        {{ known_bin('coalesce(of_model.n, 0)') }} as model_bin,
        case when found.has_label then coalesce(of_label.value, 0) else 0 end as label_effect,
        coalesce(of_model.value, 0) as model_effect,
        coalesce(own_rate.value, label_rate.value, 0) as ln_online
    from found
    left join so_far as of_label
        on
            found.top_label_text = of_label.labels
            and of_label.model is null
    left join so_far as of_model
        on
            found.model = of_model.model
            and of_model.labels = '{}'
    left join online_rates as own_rate
        on
            found.top_label_text = own_rate.labels
            and found.model = own_rate.model
            and found.quantile_rate = own_rate.max_truncation
    left join online_rates as label_rate
        on
            found.top_label_text = label_rate.labels
            and label_rate.model is null
            and found.quantile_rate = label_rate.max_truncation
),

-- what new ones needed above that, and how much of it is that of a new model
begun as (
    select
        effects.*,
        new_label.value as label_factor,
        new_label.n as n_label,
        new_label.is_identified as is_label_identified,
        of_labels.share as label_share,
        medians.value as label_median_tokens,
        case when effects.label_level > 0 then coalesce(own_model.value, any_model.value) end
            as model_factor,
        coalesce(own_model.n, any_model.n) as n_model,
        coalesce(own_model.is_identified, any_model.is_identified) as is_model_identified
    from effects
    left join so_far_quantiles as new_label
        on
            new_label.name = 'label'
            and new_label.labels = '{}'
            and effects.label_bin is not distinct from new_label.position
            and effects.quantile_rate = new_label.max_truncation
    left join so_far_quantiles as own_model
        on
            own_model.name = 'model'
            and effects.model is not null
            and effects.top_label_text = own_model.labels
            and effects.model_bin = own_model.position
            and effects.quantile_rate = own_model.max_truncation
    left join so_far_quantiles as any_model
        on
            any_model.name = 'model'
            and effects.model is not null
            and any_model.labels = '{}'
            and effects.model_bin = any_model.position
            and effects.quantile_rate = any_model.max_truncation
    left join quantiles as of_labels
        on
            effects.label_cell = of_labels.cell_text
            and effects.quantile_rate = of_labels.asked_rate
    left join medians
        on effects.label_median_cell = medians.cell_text
),

expected as (
    select
        *,
        label_factor is not null and median_tokens is not null and is_new as is_as_new,
        case
            when model_factor is null
                then
                    ln(median_tokens) + case when model is not null then model_effect else 0 end
                    + label_effect + label_factor
            else
                {{ log_blend('ln(median_tokens)', 'ln(label_median_tokens)', 'label_share') }}
                + model_effect
                + (1 - label_share) * (label_effect + label_factor)
                + label_share * model_factor
        end as ln_as_new
    from begun
),

sized as (
    select
        *,
        case
            when is_as_new then {{ tokens_of_log('ln_as_new + ln_online') }}
            when ln_online <> 0 then {{ tokens_of_log('ln(tokens) + ln_online') }}
            else cast(tokens as bigint)
        end as own_tokens
    from expected
),

-- what moves them may have been seen at one rate alone: none is below that of a looser rate
final as (
    select
        asked_key,
        asked_rate as max_truncation,
        quantile_rate,
        max(own_tokens) over (partition by asked_key order by quantile_rate desc)
            as quantile_tokens,
        case
            when not is_as_new then n
            when model_factor is not null then n_model
            else n_label
        end as n,
        case
            when not is_as_new then is_identified
            when model_factor is not null then is_model_identified
            else is_label_identified
        end and quantile_rate <= asked_rate as is_identified,
        case
            when is_as_new then 'so far'
            when budget_level = cell_level then 'quantile cell'
            else 'parent'
        end as source
    from sized
)

select * from final
