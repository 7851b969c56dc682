{#-
    Runs: what earlier calls of a run have shown moves the budgets of its next ones. Tables of one
    feature each, fitted one after another, each kept only where it helps on later calls.
-#}

{#- The features in their order, and the name of their column in int_run_calls. -#}
{% macro run_features() %}
    {{ return(['same', 'any', 'turn']) }}
{% endmacro %}

{#- Class of the logarithm of a demand over its median: 0 below to 8 above, 9 without one. -#}
{% macro run_bin(ln_above) -%}
    case
        when {{ ln_above }} is null then cast(9 as bigint)
        {%- for bound in [-1.2, -0.7, -0.4, -0.15, 0.15, 0.4, 0.7, 1.2] %}
        when {{ ln_above }} <= {{ bound }} then cast({{ loop.index0 }} as bigint)
        {%- endfor %}
        else cast(8 as bigint)
    end
{%- endmacro %}

{#- Class of how many calls of the run came before: floor(2·log2(1 + n)), at most 12. -#}
{% macro turn_bin(calls_before) -%}
    least(12, {{ size_class('1 + ' ~ calls_before, 2) }})
{%- endmacro %}

{#- The steps that fit one table to the calls of `calls` with `condition`: cells `name`_factors. -#}
{% macro run_factor_steps(name, calls, condition='true') %}
{{ name }}_celled as (
    select
        top_label,
        stage_bin,
        max_truncation,
        demand_tokens / exp(ln_budget) as ratio,
        cast(count(*) as double) as n_calls,
        cast(sum(case when is_observed then 1 else 0 end) as double) as n_observed
    from {{ calls }}
    where {{ condition }}
    group by top_label, stage_bin, max_truncation, demand_tokens / exp(ln_budget)
),

{{ name }}_pooled as (
    select * from {{ name }}_celled
    union all
    select
        top_label,
        cast(null as bigint) as stage_bin,
        max_truncation,
        ratio,
        sum(n_calls) as n_calls,
        sum(n_observed) as n_observed
    from {{ name }}_celled
    group by top_label, max_truncation, ratio
),

{{ name }}_at_risk as (
    select
        *,
        sum(n_calls) over (
            partition by top_label, stage_bin, max_truncation
            order by ratio desc
            rows between unbounded preceding and current row
        ) as n_at_risk,
        sum(n_observed) over (partition by top_label, stage_bin, max_truncation) as n_event
    from {{ name }}_pooled
),

{{ name }}_survival as (
    select
        *,
        sum({{ ln_survival_step('n_observed', 'n_at_risk') }}) over (
            partition by top_label, stage_bin, max_truncation
            order by ratio asc
            rows between unbounded preceding and current row
        ) as ln_survival
    from {{ name }}_at_risk
    where n_event > 0
),

{{ name }}_read_off as (
    select
        top_label,
        stage_bin,
        max_truncation,
        max(n_event) as n_event,
        max(ratio) as max_ratio,
        {{ survival_quantile('ratio', 'ln_survival', conformal_share('n_event', 'max_truncation')) }}
            as reached_ratio,
        {{ survival_quantile('ratio', 'ln_survival', conformal_share_below('n_event', 'max_truncation')) }}
            as below_ratio
    from {{ name }}_survival
    group by top_label, stage_bin, max_truncation
),

{{ name }}_quantiles as (
    select
        top_label,
        stage_bin,
        max_truncation,
        n_event,
        ln(
            coalesce(
                {{ between_ranks('below_ratio', 'reached_ratio', 'n_event', 'max_truncation') }},
                max_ratio
            )
        ) as ln_quantile
    from {{ name }}_read_off
),

-- against all classes together: budgets cover the calls that they were made from too well, and a
-- table of that would help on the same calls alone
{{ name }}_factors as (
    select
        of_class.top_label,
        of_class.stage_bin,
        of_class.max_truncation,
        of_class.n_event,
        of_class.n_event / (of_class.n_event + 2 / of_class.max_truncation)
        * (of_class.ln_quantile - of_all.ln_quantile) as ln_factor
    from {{ name }}_quantiles as of_class
    inner join {{ name }}_quantiles as of_all
        on
            of_class.top_label is not distinct from of_all.top_label
            and of_class.max_truncation = of_all.max_truncation
            and of_all.stage_bin is null
    where of_class.stage_bin is not null
),
{% endmacro %}

{#- A model of one stage: the table of `feature` on what the stage before it left. -#}
{% macro run_stage(before, feature) %}
with

before as (
    select
        call_id,
        max_truncation,
        ln_budget
    from {{ ref(before) }}
),

calls as (
    select * from {{ ref('int_run_calls') }}
),

staged as (
    select
        calls.call_id,
        calls.run_id,
        calls.top_label,
        calls.demand_tokens,
        calls.is_observed,
        calls.max_truncation,
        calls.is_early,
        calls.{{ feature }}_bin as stage_bin,
        before.ln_budget
    from calls
    inner join before
        on
            calls.call_id = before.call_id
            and calls.max_truncation = before.max_truncation
),

{{ run_factor_steps('early', 'staged', 'is_early') }}

-- the table of the first 70 % on the rest: the loss with it and without, a rate's share each
losses as (
    select
        staged.call_id,
        staged.run_id,
        staged.max_truncation,
        {{ pinball('staged.demand_tokens', 'exp(staged.ln_budget)', 'staged.max_truncation') }}
            as loss_before,
        {{ pinball(
            'staged.demand_tokens',
            'exp(staged.ln_budget + coalesce(early_factors.ln_factor, 0))',
            'staged.max_truncation',
        ) }} as loss_after
    from staged
    left join early_factors
        on
            staged.top_label is not distinct from early_factors.top_label
            and staged.stage_bin = early_factors.stage_bin
            and staged.max_truncation = early_factors.max_truncation
    where not staged.is_early and staged.is_observed
),

mean_losses as (
    select
        max_truncation,
        nullif(avg(loss_before), 0) as mean_loss
    from losses
    group by max_truncation
),

gains as (
    select
        losses.call_id,
        losses.run_id,
        avg((losses.loss_after - losses.loss_before) / mean_losses.mean_loss) as gain
    from losses
    inner join mean_losses
        on losses.max_truncation = mean_losses.max_truncation
    group by losses.call_id, losses.run_id
),

mean_gain as (
    select
        avg(gain) as mean_gain,
        count(*) as n_calls
    from gains
),

runs as (
    select
        gains.run_id,
        sum(gains.gain - mean_gain.mean_gain) as deviation
    from gains
    cross join mean_gain
    group by gains.run_id
),

verdict as (
    select
        coalesce(
            max(mean_gain.mean_gain) <= -0.01
            and count(*) >= {{ var('min_runs') }}
            and max(mean_gain.mean_gain)
            + sqrt(sum(runs.deviation * runs.deviation)) / max(mean_gain.n_calls) < 0,
            false
        ) as is_kept
    from runs
    cross join mean_gain
),

{{ run_factor_steps('whole', 'staged') }}

final as (
    select
        staged.call_id,
        staged.max_truncation,
        staged.top_label,
        staged.stage_bin,
        coalesce(whole_factors.ln_factor, 0) as ln_factor,
        coalesce(whole_factors.n_event, 0) as n_event,
        verdict.is_kept,
        staged.ln_budget
        + case when verdict.is_kept then coalesce(whole_factors.ln_factor, 0) else 0 end as ln_budget
    from staged
    cross join verdict
    left join whole_factors
        on
            staged.top_label is not distinct from whole_factors.top_label
            and staged.stage_bin = whole_factors.stage_bin
            and staged.max_truncation = whole_factors.max_truncation
)

select * from final
{% endmacro %}
