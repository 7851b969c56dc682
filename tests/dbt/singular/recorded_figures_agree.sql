{{ config(severity='warn') }}
-- What a producer computed (smape_percent, waste_ratio, underestimated) against the same figures
-- computed here. Compared as the producers compute them: truncated calls included.
with

estimates as (
    select * from {{ ref('calls') }}
),

recomputed as (
    select
        event_id,
        source_file,
        line_no,
        recorded_smape,
        {{ smape('predicted_output_tokens', 'actual_output_tokens') }} as recomputed_smape,
        recorded_estimate_ratio,
        estimate_ratio,
        recorded_underestimated,
        actual_output_tokens > predicted_output_tokens as recomputed_underestimated
    from estimates
)

select *
from recomputed
where
    abs(recorded_smape - recomputed_smape) > 0.05
    or abs(recorded_estimate_ratio - estimate_ratio) > 0.005
    or recorded_underestimated <> recomputed_underestimated
