{% set names = ['coefficients_id', 'estimator_version', 'slice', 'stratum'] %}

with

counted_calls as {{ inlined() }} (
    select * from {{ ref('int_counted_calls') }}
    where {{ is_analysed() }}
),

drifts as (
    select * from {{ ref('int_drift') }}
),

events as {{ inlined() }} (
    {% for columns in followed_slices() %}
        select
            *,
            '{{ slice_names()[columns[0]] or 'all' }}' as slice,
            {{ columns[0] or "'all'" }} as stratum
        from counted_calls
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

cells as (
    select
        {{ names | join(', ') }},
        {{ accuracy_cell() }}
    from events
    group by {{ names | join(', ') }}
),

grouped as (
    select
        {{ names | join(', ') }},
        {{ accuracy_counts() }}
    from cells
    group by {{ names | join(', ') }}
),

{{ stratum_quantiles(events='events', names=names, wanted=accuracy_quantiles()) }},

rated as (
    select
        grouped.*,
        quantiles.median_smape,
        quantiles.p50_estimate_ratio,
        quantiles.p50_ceiling_ratio,
        quantiles.median_abs_log_error,
        {{ version_name('grouped.') }} as version_name,
        {{ accuracy_rates() }}
    from grouped
    left join quantiles
        on
            {% for name in names %}
                {{ 'and ' if not loop.first }}grouped.{{ name }} = quantiles.{{ name }}
            {% endfor %}
),

-- versions in the order in which they came into use
numbered as (
    select
        *,
        row_number() over (
            partition by slice, stratum
            order by first_seen asc, coefficients_id asc, estimator_version asc
        ) as version_no
    from rated
),

chained as (
    select
        *,
        min({{ baseline_version_no() }}) over (partition by slice, stratum) as baseline_no
    from numbered
),

compared as (
    select
        chained.*,
        {% for name, other in [('previous', 'previous'), ('baseline', 'baselines')] %}
            {{ other }}.version_name as {{ name }}_version,
            {{ other }}.truncation_rate as {{ name }}_truncation_rate,
            {{ other }}.underestimation_rate as {{ name }}_underestimation_rate,
            {{ other }}.median_smape as {{ name }}_median_smape,
            {{ other }}.reserved_ratio as {{ name }}_reserved_ratio,
            {% for rate in ['truncation', 'underestimation'] %}
                {{ rate_change(
                    'chained.' ~ rate ~ '_lower', 'chained.' ~ rate ~ '_upper',
                    other ~ '.' ~ rate ~ '_lower', other ~ '.' ~ rate ~ '_upper',
                ) }} as {{ name }}_{{ rate }}_change,
            {% endfor %}
        {% endfor %}
        drifts.drift
    from chained
    left join chained as previous
        on
            chained.slice = previous.slice
            and chained.stratum = previous.stratum
            and chained.version_no = previous.version_no + 1
    left join chained as baselines
        on
            chained.slice = baselines.slice
            and chained.stratum = baselines.stratum
            and chained.baseline_no = baselines.version_no
    left join drifts
        on
            chained.slice = drifts.slice
            and chained.stratum = drifts.stratum
),

final as (
    select
        {{ key_of(names) }} as version_key,
        slice,
        stratum,
        coefficients_id,
        estimator_version,
        version_name,
        cast(version_no as bigint) as version_no,
        first_seen,
        last_seen,
        n,
        n_clean,
        n_truncated,
        truncation_rate,
        truncation_lower,
        truncation_upper,
        underestimation_rate,
        underestimation_lower,
        underestimation_upper,
        median_smape,
        median_abs_log_error,
        p50_estimate_ratio,
        p50_ceiling_ratio,
        reserved_ratio,
        previous_version,
        previous_truncation_rate,
        previous_underestimation_rate,
        previous_median_smape,
        previous_reserved_ratio,
        previous_truncation_change as truncation_change,
        previous_underestimation_change as underestimation_change,
        case
            when previous_version is null then 'first'
            else
                {{ overall_change(
                    'previous_truncation_change', 'previous_underestimation_change'
                ) }}
        end as version_change,
        baseline_version,
        baseline_truncation_rate,
        baseline_underestimation_rate,
        baseline_median_smape,
        baseline_reserved_ratio,
        case
            when baseline_version is null then 'no baseline'
            when version_no = baseline_no then 'baseline'
            else
                {{ overall_change(
                    'baseline_truncation_change', 'baseline_underestimation_change'
                ) }}
        end as baseline_change,
        coalesce(drift, 'no baseline') as drift
    from compared
)

select * from final
