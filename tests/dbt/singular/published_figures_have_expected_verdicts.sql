{{ config(enabled=not is_guest()) }}

-- A published figure that the rows no longer correct, or no longer reproduce: a formula or a
-- sample has changed. Silent for telemetry that does not hold the samples.
with

published_figures as (
    select * from {{ ref('published_figures') }}
),

published_headlines as (
    select * from {{ ref('published_headlines') }}
)

select
    published_headlines.figure_id,
    published_figures.published_value,
    published_figures.recomputed_value,
    published_figures.verdict,
    published_headlines.expected_verdict
from published_headlines
left join published_figures
    on published_headlines.figure_id = published_figures.figure_id
where
    published_figures.verdict is distinct from published_headlines.expected_verdict
    and published_figures.verdict is distinct from 'rows not loaded'
