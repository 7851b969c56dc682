{#- The cells of the residuals, from wide to narrow, and of which of these. -#}
{% set levels = [
    {'name': 'of_all', 'of': 'residuals', 'key': [], 'where': 'true'},
    {'name': 'of_less', 'of': 'less_known', 'key': ['known_bin'], 'where': 'true'},
    {'name': 'of_bin', 'of': 'residuals', 'key': ['known_bin'], 'where': 'known_bin is not null'},
    {'name': 'of_label', 'of': 'less_known', 'key': ['top_label', 'known_bin'],
     'where': 'top_label is not null'},
    {'name': 'own', 'of': 'residuals', 'key': ['top_label', 'known_bin'],
     'where': 'top_label is not null and known_bin is not null'},
] %}
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

bins as (
    {% for known_bin in ['null'] + range(known_bounds() | length + 1) | list %}
        select cast({{ known_bin }} as bigint) as known_bin
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- where few calls are of a class, those of which less was known say more than all together
less_known as (
    select
        residuals.subject,
        residuals.top_label,
        bins.known_bin,
        residuals.factor,
        residuals.is_observed
    from residuals
    inner join bins
        on coalesce(residuals.known_bin < bins.known_bin, bins.known_bin is null)
),

celled as (
    {% for level in levels %}
        select
            {{ loop.index0 }} as cell_level,
            subject,
            {{ 'top_label' if 'top_label' in level.key else 'cast(null as string)' }} as top_label,
            {{ 'known_bin' if 'known_bin' in level.key else 'cast(null as bigint)' }} as known_bin,
            factor,
            cast(count(*) as double) as n_calls,
            cast(sum(case when is_observed then 1 else 0 end) as double) as n_observed
        from {{ level.of }}
        where {{ level.where }}
        group by subject, {{ (level.key + ['factor']) | join(', ') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

at_risk as (
    select
        *,
        {{ key_of(['cell_level', 'subject', 'top_label', 'known_bin']) }} as cell,
        sum(n_calls) over (
            partition by cell_level, subject, top_label, known_bin
            order by factor desc
            rows between unbounded preceding and current row
        ) as n_at_risk
    from celled
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

wanted as (
    select
        cells.subject,
        cells.top_label,
        bins.known_bin
    from cells
    cross join bins
    where cells.cell_level in (0, 3) and cells.known_bin is null
),

blended as (
    select
        wanted.subject,
        wanted.top_label,
        wanted.known_bin,
        of_all.max_truncation,
        {% for column in ['n_event', 'is_identified'] %}
            case
                when own.has_enough_events then own.{{ column }}
                when of_bin.has_enough_events then of_bin.{{ column }}
                when of_less.has_enough_events then of_less.{{ column }}
                else of_all.{{ column }}
            end as {{ column }},
        {% endfor %}
        {{ blended('ln(of_all.blended_factor)', [
            ('ln(of_less.blended_factor)', own_data_weight('of_less.n_event', 'of_all.max_truncation')),
            ('ln(of_bin.blended_factor)', own_data_weight('of_bin.n_event', 'of_all.max_truncation')),
            ('ln(of_label.blended_factor)', own_data_weight('of_label.n_event', 'of_all.max_truncation')),
            ('ln(own.blended_factor)', own_data_weight('own.n_event', 'of_all.max_truncation')),
        ]) }} as ln_blended_factor
    from wanted
    inner join quantiles as of_all
        on
            of_all.cell_level = 0
            and wanted.subject = of_all.subject
    {% for level in levels[1:] %}
        left join quantiles as {{ level.name }}
            on
                {{ level.name }}.cell_level = {{ loop.index }}
                and wanted.subject = {{ level.name }}.subject
                {% for name in level.key %}
                    and wanted.{{ name }} is not distinct from {{ level.name }}.{{ name }}
                {% endfor %}
                and of_all.max_truncation = {{ level.name }}.max_truncation
    {% endfor %}
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
