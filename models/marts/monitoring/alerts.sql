{% set call_rules = {
    'output_over_prediction': ratio('actual_output_tokens', 'predicted_output_tokens'),
    'prediction_over_output': 'case when not is_truncated then estimate_ratio end',
    'smape_over': certain_smape(),
} %}
{% set stratum_rules = [
    ('truncation_over_target', 'n_truncated', 'n_stop_known'),
    ('ceiling_unknown', 'n_ceiling_unknown', 'n'),
    ('failure_mode_outputs', 'n_failure_mode', 'n'),
] %}

with

estimates as {{ inlined() }} (
    select * from {{ ref('calls') }}
),

counted_calls as (
    select * from {{ ref('int_counted_calls') }}
),

alert_rules as (
    select * from {{ ref('alert_rules') }}
),

demand as (
    select * from {{ ref('int_demand') }}
),

advice as (
    select * from {{ ref('advice') }}
    where figure = 'ceiling'
),

counted as (
    select
        *,
        verdict in ('leave', 'lower') and not is_cut_off_now as is_settled,
        count(*) over () as n_groups
    from advice
),

-- labels that read alike with a slash between them get no verdict of another's
told as (
    select
        subject,
        max(verdict) as verdict,
        max(reason) as reason,
        max(command) as command,
        max(case when is_settled then 1 else 0 end) = 1 as is_settled,
        max(n_groups) = 1 as is_only
    from counted
    group by subject
    having count(*) = 1
),

-- a truncation asks for nothing more where the ceilings of now were judged to hold
unsettled as (
    select coalesce(min(case when is_settled then 1 else 0 end), 0) = 0 as is_any
    from counted
),

-- the newest table that sized calls by its quantiles: what a person has promoted
newest_table as (
    select {{ value_of_largest('first_coefficients_id', 'occurred_at') }} as coefficients_id
    from demand
    where is_first_under_quantile and {{ is_until_as_of('occurred_at') }}
),

promoted as (
    select
        demand.first_coefficients_id,
        count(*) as n,
        sum(case when demand.is_first_truncated then 1 else 0 end) as n_breaches,
        {{ rounded('avg(demand.first_max_truncation)', 6) }} as asked_truncation,
        min(demand.occurred_at) as first_seen,
        max(demand.occurred_at) as last_seen
    from demand
    inner join newest_table
        on demand.first_coefficients_id = newest_table.coefficients_id
    where
        demand.is_first_under_quantile
        and demand.is_first_truncated is not null
        and {{ is_real_call('demand.excluded_reason') }}
        and {{ is_until_as_of('demand.occurred_at') }}
    group by demand.first_coefficients_id
),

rules as (
    select
        alert_rules.name as rule_name,
        alert_rules.severity,
        alert_rules.unit,
        alert_rules.allowed_share,
        alert_rules.description,
        alert_rules.action,
        case alert_rules.name
            when 'truncation_after_promotion' then 2 * promoted.asked_truncation
            when 'truncation_over_target' then cast({{ var('target_truncation') }} as double)
            when 'failure_mode_outputs' then cast({{ var('max_failure_mode_share') }} as double)
            else alert_rules.threshold
        end as threshold
    from alert_rules
    left join promoted
        on alert_rules.name = 'truncation_after_promotion'
),

clock as (
    select * from {{ ref('int_window') }}
),

trust_signals as (
    select * from {{ ref('int_trust_signals') }}
),

analysed as {{ inlined() }} (
    select * from estimates
    where {{ is_analysed() }} and {{ is_until_as_of('occurred_at') }}
),

calls as {{ inlined() }} (
    select
        *,
        {{ is_failure_mode() }} as is_failure_mode
    from counted_calls
    where {{ is_analysed() }} and is_until_as_of
),

-- the figure of each rule about single calls; a bound counts where it is certain
call_figures as {{ inlined() }} (
    {% for rule, figure in call_rules.items() %}
        select
            '{{ rule }}' as rule_name,
            category,
            complexity,
            predicted_output_tokens,
            actual_output_tokens,
            is_truncated,
            first_seen,
            last_seen,
            is_recent,
            n,
            {{ figure }} as figure
        from calls
        -- without deliverables the estimate is a median, and half of the calls need more
        where deliverable_bucket not in ('unknown', '0')
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

measured as {{ inlined() }} (
    select
        call_figures.*,
        rules.threshold,
        call_figures.figure > rules.threshold as is_breach
    from call_figures
    inner join rules
        on call_figures.rule_name = rules.rule_name
    where call_figures.figure is not null
),

breaches as (
    select
        rule_name,
        category,
        complexity,
        max(figure) as figure,
        {{ counted_if('is_recent') }} as n,
        {{ counted_if('is_recent and is_breach') }} as n_breaches,
        min(case when is_breach then first_seen end) as first_seen,
        max(case when is_breach then last_seen end) as last_seen
    from measured
    group by rule_name, category, complexity
    having max(figure) > max(threshold)
),

-- an event to look at: of those with the largest figure that with the largest id
worst as (
    select distinct
        measured.rule_name,
        measured.category,
        measured.complexity,
        measured.predicted_output_tokens,
        measured.actual_output_tokens,
        measured.is_truncated
    from measured
    inner join breaches
        on
            measured.rule_name = breaches.rule_name
            and measured.category = breaches.category
            and measured.complexity = breaches.complexity
            and measured.figure = breaches.figure
),

worst_events as (
    select
        worst.rule_name,
        worst.category,
        worst.complexity,
        max(analysed.event_id) as event_id
    from analysed
    inner join worst
        on
            analysed.actual_output_tokens = worst.actual_output_tokens
            and analysed.predicted_output_tokens = worst.predicted_output_tokens
            and analysed.is_truncated is not distinct from worst.is_truncated
            and coalesce(analysed.category, 'unknown') = worst.category
            and coalesce(analysed.complexity, 'unknown') = worst.complexity
    group by worst.rule_name, worst.category, worst.complexity
),

call_alerts as (
    select
        breaches.rule_name,
        {{ stratum_name(['breaches.category', 'breaches.complexity']) }} as subject,
        breaches.category,
        breaches.complexity,
        breaches.figure,
        breaches.n,
        breaches.n_breaches,
        worst_events.event_id,
        breaches.first_seen,
        breaches.last_seen
    from breaches
    inner join worst_events
        on
            breaches.rule_name = worst_events.rule_name
            and breaches.category = worst_events.category
            and breaches.complexity = worst_events.complexity
),

-- of the recent calls, all together and by category and complexity
by_stratum as (
    {% for columns in [[], ['category', 'complexity']] %}
        select
            {{ split_columns(columns) }},
            sum(n) as n,
            {{ counted_if('is_truncated is not null') }} as n_stop_known,
            {{ counted_if('is_truncated') }} as n_truncated,
            {{ counted_if('is_ceiling_unknown') }} as n_ceiling_unknown,
            {{ counted_if('is_failure_mode') }} as n_failure_mode,
            min(first_seen) as first_seen,
            max(last_seen) as last_seen
        from calls
        where is_recent
        {{ group_by_columns(columns) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

stratum_figures as (
    {% for rule, breaches, trials in stratum_rules %}
        select
            '{{ rule }}' as rule_name,
            category,
            complexity,
            {{ trials }} as n,
            {{ breaches }} as n_breaches,
            first_seen,
            last_seen,
            {{ stratum_name(['category', 'complexity']) }} as subject,
            {{ ratio(breaches, trials) }} as figure,
            {{ wilson_lower(breaches, trials) if rule == 'truncation_over_target'
                else ratio(breaches, trials) }} as compared_figure
        from by_stratum
        where {{ trials }} >= {{ var('min_samples') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

stratum_alerts as (
    select
        stratum_figures.rule_name,
        stratum_figures.subject,
        stratum_figures.category,
        stratum_figures.complexity,
        stratum_figures.figure,
        stratum_figures.n,
        stratum_figures.n_breaches,
        cast(null as string) as event_id,
        stratum_figures.first_seen,
        stratum_figures.last_seen
    from stratum_figures
    inner join rules
        on stratum_figures.rule_name = rules.rule_name
    where stratum_figures.compared_figure > rules.threshold
),

by_week as (
    select
        {{ week_start('occurred_at') }} as week_start,
        count(is_truncated) as n,
        count(case when is_truncated then 1 end) as n_breaches,
        min(case when is_truncated then occurred_at end) as first_seen,
        max(case when is_truncated then occurred_at end) as last_seen
    from analysed
    group by {{ week_start('occurred_at') }}
),

week_alerts as (
    select
        'truncation_in_week' as rule_name,
        'week of ' || cast(cast(by_week.week_start as date) as string) as subject,
        cast(null as string) as category,
        cast(null as string) as complexity,
        {{ ratio('by_week.n_breaches', 'by_week.n') }} as figure,
        by_week.n,
        by_week.n_breaches,
        cast(null as string) as event_id,
        by_week.first_seen,
        by_week.last_seen
    from by_week
    inner join rules
        on rules.rule_name = 'truncation_in_week'
    where
        by_week.n >= {{ var('min_samples') }}
        and {{ ratio('by_week.n_breaches', 'by_week.n') }} > rules.threshold
),

promotion_alerts as (
    select
        'truncation_after_promotion' as rule_name,
        promoted.first_coefficients_id as subject,
        cast(null as string) as category,
        cast(null as string) as complexity,
        {{ ratio('promoted.n_breaches', 'promoted.n') }} as figure,
        promoted.n,
        promoted.n_breaches,
        cast(null as string) as event_id,
        promoted.first_seen,
        promoted.last_seen
    from promoted
    inner join rules
        on rules.rule_name = 'truncation_after_promotion'
    where
        {{ has_enough_events('promoted.n', 'promoted.asked_truncation') }}
        and {{ wilson_lower('promoted.n_breaches', 'promoted.n') }} > rules.threshold
),

word_alerts as (
    select
        'unknown_stop_reason' as rule_name,
        stop_reason as subject,
        cast(null as string) as category,
        cast(null as string) as complexity,
        cast(count(*) as double) as figure,
        count(*) as n,
        count(*) as n_breaches,
        min(event_id) as event_id,
        min(occurred_at) as first_seen,
        max(occurred_at) as last_seen
    from analysed
    where stop_class = 'unknown'
    group by stop_reason
),

trust_alerts as (
    select trust_signals.*
    from trust_signals
    inner join rules
        on trust_signals.rule_name = rules.rule_name
    where trust_signals.figure > rules.threshold
),

alerts as (
    select * from call_alerts
    union all
    select * from stratum_alerts
    union all
    select * from week_alerts
    union all
    select * from promotion_alerts
    union all
    select * from word_alerts
    union all
    select * from trust_alerts
),

shared as (
    select
        *,
        {{ ratio('n_breaches', 'n') }} as breach_share
    from alerts
),

final as (
    select
        {{ key_of(['shared.rule_name', 'shared.subject', 'shared.category', 'shared.complexity']) }}
            as alert_key,
        shared.rule_name,
        rules.severity,
        shared.subject,
        coalesce(shared.category, 'all') as category,
        coalesce(shared.complexity, 'all') as complexity,
        shared.figure,
        rules.threshold,
        rules.unit,
        cast(shared.n as bigint) as n,
        cast(shared.n_breaches as bigint) as n_breaches,
        shared.breach_share,
        rules.allowed_share,
        shared.event_id,
        shared.first_seen,
        shared.last_seen,
        coalesce(
            shared.last_seen > {{ recent_from('clock.ends_at') }}
            and (rules.allowed_share is null or shared.breach_share > rules.allowed_share)
            and case
                when shared.rule_name not in ('truncation_over_target', 'truncation_in_week')
                    then true
                when told.verdict is not null then not told.is_settled
                else shared.category is not null or unsettled.is_any
            end,
            false
        ) as is_open,
        rules.description,
        -- what to do is said once, by the verdict on the subject
        case
            when shared.rule_name = 'truncation_over_target' and told.verdict is not null
                then
                    'marts.advice says ' || told.verdict || ': ' || told.reason
                    || coalesce(' (' || told.command || ')', '')
            else rules.action
        end as action
    from shared
    inner join rules
        on shared.rule_name = rules.rule_name
    left join told
        on
            replace(shared.subject, ' / unknown', '') = told.subject
            -- on all calls together there is a verdict where they are one group
            and (shared.category is not null or told.is_only)
    cross join clock
    cross join unsettled
)

select * from final
