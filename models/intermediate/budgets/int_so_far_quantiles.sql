{#- The cells of the residuals, from wide to narrow. -#}
{% set levels = [[], ['known_bin'], ['top_label'], ['top_label', 'known_bin']] %}
with

calls as (
    select * from {{ ref('int_calls_so_far') }}
),

rates as (
    {{ rate_rows(var('truncation_rates')) }}
),

-- what a call needed above what was known of its key, as a factor
residuals as (
    select
        'label' as subject,
        cast(null as string) as top_label,
        case when top_label is not null then {{ known_bin(so_far_known('label_no')) }} end
            as known_bin,
        exp(ln_above_model - label_effect) as factor,
        is_observed
    from calls
    union all
    select
        'model' as subject,
        top_label,
        {{ known_bin(so_far_known('model_no')) }} as known_bin,
        exp(ln_above_cell - model_effect) as factor,
        is_observed
    from calls
    where model is not null
),

celled as (
    {% for level in levels %}
        select
            {{ loop.index0 }} as cell_level,
            subject,
            {{ 'top_label' if 'top_label' in level else 'cast(null as string)' }} as top_label,
            {{ 'known_bin' if 'known_bin' in level else 'cast(null as bigint)' }} as known_bin,
            factor,
            cast(count(*) as double) as n_calls,
            cast(sum(case when is_observed then 1 else 0 end) as double) as n_observed
        from residuals
        where {{ level | join(' is not null and ') ~ ' is not null' if level else 'true' }}
        group by subject, {{ (level + ['factor']) | join(', ') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

keyed as (
    select
        *,
        {{ key_of(['cell_level', 'subject', 'top_label', 'known_bin']) }} as cell
    from celled
),

at_risk as (
    select
        *,
        sum(n_calls) over (
            partition by cell
            order by factor desc
            rows between unbounded preceding and current row
        ) as n_at_risk
    from keyed
),

survival as (
    select
        *,
        sum({{ ln_survival_step('n_observed', 'n_at_risk') }}) over (
            partition by cell
            order by factor asc
            rows between unbounded preceding and current row
        ) as ln_survival
    from at_risk
),

cells as (
    select
        cell,
        cell_level,
        subject,
        top_label,
        known_bin,
        sum(n_observed) as n_event,
        max(factor) as max_factor,
        min(ln_survival) as last_ln_survival
    from survival
    group by cell, cell_level, subject, top_label, known_bin
),

shared as (
    select
        cells.*,
        rates.rate as max_truncation,
        {{ has_enough_events('cells.n_event', 'rates.rate') }} as has_enough_events,
        {{ conformal_share('cells.n_event', 'rates.rate') }} as share_above,
        {{ conformal_share_below('cells.n_event', 'rates.rate') }} as share_below
    from cells
    cross join rates
    where cells.n_event > 0
),

read_off as (
    select
        shared.cell,
        shared.max_truncation,
        {{ survival_quantile('survival.factor', 'survival.ln_survival', 'shared.share_above') }}
            as reached_factor,
        {{ survival_quantile('survival.factor', 'survival.ln_survival', 'shared.share_below') }}
            as below_factor
    from shared
    inner join survival
        on shared.cell = survival.cell
    group by shared.cell, shared.max_truncation
),

quantiles as (
    select
        shared.*,
        read_off.reached_factor is not null and shared.has_enough_events as is_identified,
        {{ blended_quantile(
            'read_off.below_factor',
            'read_off.reached_factor',
            'shared.max_factor',
            'shared.last_ln_survival',
            'shared.n_event',
            'shared.max_truncation',
        ) }} as blended_factor
    from shared
    inner join read_off
        on
            shared.cell = read_off.cell
            and shared.max_truncation = read_off.max_truncation
),

-- every class of how much is known, and none; for all calls, and for each label that has a model
bins as (
    select cast(null as bigint) as known_bin
    {% for known_bin in range(known_bounds() | length + 1) %}
        union all
        select cast({{ known_bin }} as bigint) as known_bin
    {% endfor %}
),

wanted as (
    select
        cells.subject,
        cells.top_label,
        bins.known_bin
    from cells
    cross join bins
    where cells.cell_level in (0, 2)
),

blended as (
    select
        wanted.subject,
        wanted.top_label,
        wanted.known_bin,
        of_all.max_truncation,
        {{ blended('ln(of_all.blended_factor)', [
            ('ln(of_bin.blended_factor)', own_data_weight('of_bin.n_event', 'of_all.max_truncation')),
            ('ln(of_label.blended_factor)', own_data_weight('of_label.n_event', 'of_all.max_truncation')),
            ('ln(own.blended_factor)', own_data_weight('own.n_event', 'of_all.max_truncation')),
        ]) }} as ln_blended_factor,
        case
            when own.has_enough_events then own.n_event
            when of_bin.has_enough_events then of_bin.n_event
            else of_all.n_event
        end as n_event,
        case
            when own.has_enough_events then own.is_identified
            when of_bin.has_enough_events then of_bin.is_identified
            else of_all.is_identified
        end as is_identified
    from wanted
    inner join quantiles as of_all
        on
            of_all.cell_level = 0
            and wanted.subject = of_all.subject
    left join quantiles as of_bin
        on
            of_bin.cell_level = 1
            and wanted.subject = of_bin.subject
            and wanted.known_bin = of_bin.known_bin
            and of_all.max_truncation = of_bin.max_truncation
    left join quantiles as of_label
        on
            of_label.cell_level = 2
            and wanted.subject = of_label.subject
            and wanted.top_label = of_label.top_label
            and of_all.max_truncation = of_label.max_truncation
    left join quantiles as own
        on
            own.cell_level = 3
            and wanted.subject = own.subject
            and wanted.top_label = own.top_label
            and wanted.known_bin = own.known_bin
            and of_all.max_truncation = own.max_truncation
    -- too few calls in all to say anything of the rate: the floors hold
    where of_all.has_enough_events
),

-- a stricter rate never gets less than a looser one
ordered as (
    select
        *,
        max(ln_blended_factor) over (
            partition by subject, top_label, known_bin
            order by max_truncation desc
            rows between unbounded preceding and current row
        ) as ln_factor
    from blended
),

final as (
    select
        {{ key_of(['subject', 'top_label', 'known_bin', plain_number('max_truncation')]) }}
            as quantile_key,
        subject,
        top_label,
        {{ top_label_object() }} as labels,
        known_bin,
        max_truncation,
        cast(n_event as bigint) as n,
        ln_factor,
        exp(ln_factor) as factor,
        is_identified
    from ordered
)

select * from final
