{% set call_rules = ['output_over_prediction', 'prediction_over_output', 'smape_over'] %}
{% set stratum_rules = [
    ('truncation_over_target', 'n_truncated', 'n_stop_known'),
    ('ceiling_unknown', 'n_ceiling_unknown', 'n'),
    ('failure_mode_outputs', 'n_failure_mode', 'n'),
] %}

with

estimates as (
    select * from {{ ref('estimates') }}
),

seeded_rules as (
    select * from {{ ref('alert_rules') }}
),

rules as (
    select
        name as rule,
        severity,
        case name
            when 'truncation_over_target' then cast({{ var('target_truncation') }} as double)
            when 'failure_mode_outputs' then cast({{ var('max_failure_mode_share') }} as double)
            else threshold
        end as threshold,
        allowed_share,
        description,
        action
    from seeded_rules
),

clock as (
    select {{ as_of('occurred_at') }} as as_of
    from estimates
),

events as (
    select
        estimates.*,
        coalesce(estimates.category, 'unknown') as category_key,
        coalesce(estimates.complexity, 'unknown') as complexity_key,
        {{ dbt.dateadd('day', -1 * var('recent_days'), 'clock.as_of') }} as recent_from
    from estimates
    cross join clock
    where
        {{ is_analysed() }}
        and estimates.occurred_at <= clock.as_of
),

-- the figure of each rule about single calls; a bound counts where it is certain
measured as (
    select
        *,
        occurred_at > recent_from as is_recent,
        {{ ratio('actual_output_tokens', 'predicted_output_tokens') }} as output_over_prediction,
        case when not is_truncated then estimate_ratio end as prediction_over_output,
        {{ certain_smape() }} as smape_over
    from events
),

thresholds as (
    select
        {%- for rule in call_rules %}
        max(case when rule = '{{ rule }}' then threshold end) as {{ rule }}_threshold
        {{- ',' if not loop.last }}
        {%- endfor %}
    from rules
),

compared as (
    select
        measured.*
        {%- for rule in call_rules %},
        measured.{{ rule }} > thresholds.{{ rule }}_threshold as breaks_{{ rule }}
        {%- endfor %}
    from measured
    cross join thresholds
),

by_cell as (
    select
        category_key,
        complexity_key
        {%- for rule in call_rules %},
        max({{ rule }}) as {{ rule }}_figure,
        max_by(event_id, {{ rule }}) as {{ rule }}_event,
        count(case when is_recent then {{ rule }} end) as {{ rule }}_n,
        count(case when breaks_{{ rule }} and is_recent then 1 end) as {{ rule }}_breaches,
        min(case when breaks_{{ rule }} then occurred_at end) as {{ rule }}_first_seen,
        max(case when breaks_{{ rule }} then occurred_at end) as {{ rule }}_last_seen
        {%- endfor %}
    from compared
    group by category_key, complexity_key
),

call_alerts as (
    {% for rule in call_rules %}
        select
            '{{ rule }}' as rule,
            category_key || ' / ' || complexity_key as subject,
            category_key,
            complexity_key,
            {{ rule }}_figure as figure,
            {{ rule }}_n as n,
            {{ rule }}_breaches as n_breaches,
            {{ rule }}_event as event_id,
            {{ rule }}_first_seen as first_seen,
            {{ rule }}_last_seen as last_seen
        from by_cell
        where {{ rule }}_first_seen is not null
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- of the recent calls, all together and by category and complexity
by_stratum as (
    select
        category_key,
        complexity_key,
        count(*) as n,
        count(is_truncated) as n_stop_known,
        count(case when is_truncated then 1 end) as n_truncated,
        count(case when is_ceiling_unknown then 1 end) as n_ceiling_unknown,
        count(case when {{ is_failure_mode() }} then 1 end) as n_failure_mode,
        min(occurred_at) as first_seen,
        max(occurred_at) as last_seen
    from measured
    where is_recent
    group by grouping sets ((), (category_key, complexity_key))
),

stratum_alerts as (
    {% for rule, breaches, trials in stratum_rules %}
        select
            '{{ rule }}' as rule,
            coalesce(category_key || ' / ' || complexity_key, 'all') as subject,
            category_key,
            complexity_key,
            {{ ratio(breaches, trials) }} as figure,
            {{ trials }} as n,
            {{ breaches }} as n_breaches,
            cast(null as string) as event_id,
            first_seen,
            last_seen
        from by_stratum
        cross join (select threshold from rules where rule = '{{ rule }}') as rule
        where
            {{ trials }} >= {{ var('min_samples') }}
            {% if rule == 'truncation_over_target' -%}
            and {{ wilson_lower(breaches, trials) }} > rule.threshold
            {%- else -%}
            and {{ ratio(breaches, trials) }} > rule.threshold
            {%- endif %}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

by_week as (
    select
        cast(date_trunc('week', occurred_at) as timestamp) as week_start,
        count(is_truncated) as n,
        count(case when is_truncated then 1 end) as n_breaches,
        min(case when is_truncated then occurred_at end) as first_seen,
        max(case when is_truncated then occurred_at end) as last_seen
    from measured
    group by cast(date_trunc('week', occurred_at) as timestamp)
),

week_alerts as (
    select
        'truncation_in_week' as rule,
        'week of ' || cast(cast(week_start as date) as string) as subject,
        cast(null as string) as category_key,
        cast(null as string) as complexity_key,
        {{ ratio('n_breaches', 'n') }} as figure,
        n,
        n_breaches,
        cast(null as string) as event_id,
        first_seen,
        last_seen
    from by_week
    cross join (select threshold from rules where rule = 'truncation_in_week') as rule
    where
        n >= {{ var('min_samples') }}
        and {{ ratio('n_breaches', 'n') }} > rule.threshold
),

word_alerts as (
    select
        'unknown_stop_reason' as rule,
        stop_reason as subject,
        cast(null as string) as category_key,
        cast(null as string) as complexity_key,
        cast(count(*) as double) as figure,
        count(*) as n,
        count(*) as n_breaches,
        min(event_id) as event_id,
        min(occurred_at) as first_seen,
        max(occurred_at) as last_seen
    from measured
    where stop_class = 'unknown'
    group by stop_reason
),

alerts as (
    select * from call_alerts
    union all
    select * from stratum_alerts
    union all
    select * from week_alerts
    union all
    select * from word_alerts
),

final as (
    select
        concat_ws('|', alerts.rule, alerts.subject) as alert_key,
        alerts.rule,
        rules.severity,
        alerts.subject,
        alerts.category_key as category,
        alerts.complexity_key as complexity,
        alerts.figure,
        rules.threshold,
        alerts.n,
        alerts.n_breaches,
        {{ ratio('alerts.n_breaches', 'alerts.n') }} as share,
        rules.allowed_share,
        alerts.event_id,
        alerts.first_seen,
        alerts.last_seen,
        coalesce(
            alerts.last_seen > {{ dbt.dateadd('day', -1 * var('recent_days'), 'clock.as_of') }}
            and (
                rules.allowed_share is null
                or {{ ratio('alerts.n_breaches', 'alerts.n') }} > rules.allowed_share
            ),
            false
        ) as is_open,
        rules.description,
        rules.action
    from alerts
    inner join rules
        on alerts.rule = rules.rule
    cross join clock
)

select * from final
