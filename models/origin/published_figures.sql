with

calls as (
    select * from {{ ref('calls') }}
),

published_samples as (
    select * from {{ ref('published_samples') }}
),

published_headlines as (
    select * from {{ ref('published_headlines') }}
),

samples as (
    select
        published_samples.document,
        published_samples.replayed_prediction,
        calls.event_id,
        calls.category,
        calls.complexity,
        calls.deliverable_count,
        calls.predicted_output_tokens,
        calls.actual_output_tokens,
        calls.is_truncated,
        calls.is_success
    from published_samples
    left join calls
        on
            published_samples.event_id = calls.event_id
            and published_samples.occurred_at = calls.occurred_at
    where published_samples.included
),

documents as (
    select
        document,
        count(*) as n_samples,
        count(event_id) as n_loaded
    from samples
    group by document
),

predicted as (
    select
        published_headlines.figure_id,
        published_headlines.stratum_field,
        published_headlines.stratum,
        published_headlines.band_from,
        published_headlines.band_below,
        samples.category,
        samples.complexity,
        samples.deliverable_count,
        samples.actual_output_tokens,
        samples.is_truncated,
        samples.is_success,
        samples.predicted_output_tokens as recorded_prediction,
        case published_headlines.prediction
            when 'replayed' then samples.replayed_prediction
            else samples.predicted_output_tokens
        end as prediction
    from published_headlines
    inner join samples
        on published_headlines.document = samples.document
    where samples.event_id is not null
),

-- the documents took truncated calls as exact, so they are scored here although the smape of calls
-- leaves them out
scored as (
    select
        *,
        {{ smape('prediction', 'actual_output_tokens') }} as smape,
        {{ smape('recorded_prediction', 'actual_output_tokens') }} as recorded_smape,
        {{ ratio('prediction', 'actual_output_tokens') }} as estimate_ratio
    from predicted
),

banded as (
    select
        *,
        case stratum_field
            when 'smape' then smape
            when 'estimate_ratio' then estimate_ratio
        end as band_value
    from scored
),

selected as (
    select *
    from banded
    where
        case
            when stratum_field is null then true
            when stratum_field = 'category' then category = stratum
            when stratum_field = 'complexity' then complexity = stratum
            when stratum_field = 'deliverable_count'
                then cast(deliverable_count as string) = stratum
            else band_value >= band_from and (band_below is null or band_value < band_below)
        end
),

-- rates in percent, as published; underestimated without the tolerance of under_multiplier, which
-- the documents did not have
aggregated as (
    select
        figure_id,
        count(*) as n,
        count(distinct category) as category_count,
        avg(smape) as mean_smape,
        100 * (1 - {{ ratio('avg(smape)', 'avg(recorded_smape)') }}) as smape_reduction,
        min(smape) as min_smape,
        max(smape) as max_smape,
        {{ quantiles('smape', [0.5, 0.9]) }} as smape_quantiles,
        {{ quantiles('estimate_ratio', [0.5, 0.9]) }} as estimate_ratio_quantiles,
        100 * avg(case when estimate_ratio < 1 then 1 else 0 end) as underestimation_rate,
        100 * avg(case when is_truncated then 1 else 0 end) as truncation_rate,
        100 * avg(case when is_success then 1 else 0 end) as success_rate
    from selected
    group by figure_id
),

measured as (
    select
        published_headlines.*,
        documents.n_samples,
        documents.n_loaded,
        coalesce(aggregated.n, 0) as n,
        cast(0.5 as double) / power(10, published_headlines.decimals) as tolerance,
        case
            when documents.n_loaded < documents.n_samples then cast(null as double)
            when published_headlines.metric = 'sample_count' then coalesce(aggregated.n, 0)
            when published_headlines.metric = 'sample_share'
                then 100 * {{ ratio('coalesce(aggregated.n, 0)', 'documents.n_samples') }}
            when published_headlines.metric = 'category_count' then aggregated.category_count
            when published_headlines.metric = 'mean_smape' then aggregated.mean_smape
            when published_headlines.metric = 'min_smape' then aggregated.min_smape
            when published_headlines.metric = 'max_smape' then aggregated.max_smape
            when published_headlines.metric = 'median_smape'
                then {{ list_item('aggregated.smape_quantiles', 1) }}
            when published_headlines.metric = 'p90_smape'
                then {{ list_item('aggregated.smape_quantiles', 2) }}
            when published_headlines.metric = 'smape_reduction' then aggregated.smape_reduction
            when published_headlines.metric = 'median_estimate_ratio'
                then {{ list_item('aggregated.estimate_ratio_quantiles', 1) }}
            when published_headlines.metric = 'p90_estimate_ratio'
                then {{ list_item('aggregated.estimate_ratio_quantiles', 2) }}
            when published_headlines.metric = 'underestimation_rate'
                then aggregated.underestimation_rate
            when published_headlines.metric = 'truncation_rate' then aggregated.truncation_rate
            when published_headlines.metric = 'success_rate' then aggregated.success_rate
        end as recomputed_value
    from published_headlines
    inner join documents
        on published_headlines.document = documents.document
    left join aggregated
        on published_headlines.figure_id = aggregated.figure_id
),

judged as (
    select
        *,
        recomputed_value - published_value as difference,
        case
            when metric is null then 'not derivable'
            when recomputed_value is null then 'rows not loaded'
            when abs(recomputed_value - published_value) <= tolerance then 'reproduced'
            else 'corrected'
        end as verdict
    from measured
),

final as (
    select
        figure_id,
        document,
        figure,
        metric,
        prediction,
        unit,
        n,
        published_value,
        recomputed_value,
        difference,
        tolerance,
        verdict,
        case
            when verdict = 'rows not loaded'
                then
                    'The telemetry holds ' || cast(n_loaded as string) || ' of the '
                    || cast(n_samples as string) || ' samples.'
            else coalesce(note, 'Follows from the rows, to the last published digit.')
        end as reason
    from judged
)

select * from final
