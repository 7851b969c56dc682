"""The questions of the report, each with the SQL that answers it.

The report shows the SQL beside each answer; it runs as it stands in any DuckDB client.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HEADLINE", "SECTIONS", "Question"]


@dataclass(frozen=True, slots=True)
class Question:
    """One part of the report: its anchor, its title, what it means, and its SQL."""

    name: str
    title: str
    note: str
    sql: str


HEADLINE = (
    Question(
        "recent",
        "Tiers of the recent calls",
        "",
        """\
select *
from marts.accuracy_tiers
where stratification = 'overall' and scope = 'recent'""",
    ),
    Question(
        "period",
        "What has landed",
        "",
        """\
select
    count(*) as n_events,
    count(case when is_synthetic or is_repeated then 1 end) as n_left_out,
    min(occurred_at) as first_seen,
    max(occurred_at) as last_seen
from marts.estimates""",
    ),
    Question(
        "version",
        "The newest coefficients against the ones before",
        "",
        """\
select *
from marts.accuracy_by_coefficients
where stratification = 'overall'
order by version_no desc
limit 1""",
    ),
    Question(
        "drift",
        "Baseline against now",
        "",
        """\
select *
from marts.accuracy_drift
where stratification = 'overall'""",
    ),
    Question(
        "weeks",
        "The two newest weeks",
        "",
        """\
select period_start, n, truncation_rate, underestimation_rate
from marts.accuracy_trend
where period_kind = 'week' and stratification = 'overall'
order by period_no desc
limit 2""",
    ),
    Question(
        "gap",
        "Where to collect next",
        "",
        """\
select category, complexity, deliverable_bucket, first_of_its, needed_for_minimum
from marts.coverage_gaps
where needed_for_minimum > 0 and priority <> 'outside the vocabulary'
order by gap_rank
limit 1""",
    ),
    Question(
        "quarantine",
        "Lines in quarantine",
        "",
        """\
select count(*) as n
from marts.rejected_lines""",
    ),
)

SECTIONS = (
    Question(
        "alerts",
        "Alerts",
        "Open ones first. A rule about single calls opens when more than its allowed share of the"
        " recent calls breaks it.",
        """\
select
    severity, rule_name, subject, figure, threshold, unit, n_breaches, n, first_seen, last_seen,
    action, is_open, event_id
from marts.guardrail_alerts
order by is_open desc, severity asc, rule_name asc, figure desc, subject asc
limit 100""",
    ),
    Question(
        "room",
        "Truncation against reserved room",
        "Recent calls by stratum: how many were cut off, with the 95 % interval, and how many"
        " tokens were reserved for each token used. Room is reserved, not billed. The dashed line"
        " is the chosen rate of truncation.",
        """\
select
    stratum, n, reserved_ratio, truncation_rate, truncation_lower, truncation_upper,
    target_truncation
from marts.accuracy_tiers
where scope = 'recent' and stratification = 'category_complexity'
order by n desc, stratum asc
limit 20""",
    ),
    Question(
        "predictions",
        "Predicted against actual",
        "Above the line the call needed more than predicted. A truncated call is drawn as what it"
        " is, a lower bound: it needed at least that much.",
        """\
select
    phase_id, category, complexity, predicted_output_tokens, actual_output_tokens,
    coalesce(is_truncated, false) as is_truncated
from marts.estimates
where
    predicted_output_tokens > 0
    and actual_output_tokens > 0
    and not is_synthetic
    and not is_repeated
order by coalesce(is_truncated, false) desc, md5(event_id) asc
limit 1500""",
    ),
    Question(
        "trend",
        "Calibration over time",
        "By week: the share of calls that needed more than predicted, and the share that was cut"
        " off, each with its 95 % interval; above, the number of calls.",
        """\
select
    period_start, n, underestimation_rate, underestimation_lower, underestimation_upper,
    truncation_rate, truncation_lower, truncation_upper, median_smape, reserved_ratio
from marts.accuracy_trend
where period_kind = 'week' and stratification = 'overall'
order by period_start desc
limit 26""",
    ),
    Question(
        "coverage",
        "Coverage",
        "Clean calls for each category and complexity, and whether the estimator is well tuned"
        " there.",
        """\
select category, complexity, n, n_clean, verdict, needed
from marts.group_verdicts
order by category asc, complexity asc
limit 400""",
    ),
    Question(
        "verdicts",
        "Tiers and verdicts",
        "Tier 1 is safety (underestimated and truncated calls), tier 2 is cost. Of successes alone"
        " truncation decides nothing: a call that was cut off seldom succeeds.",
        """\
select
    scope, stratum, verdict, direction, n, n_success, underestimation_rate, truncation_rate,
    truncation_lower, truncation_upper, target_truncation, p50_estimate_ratio,
    p90_estimate_ratio, p90_ceiling_ratio, median_smape, reason
from marts.accuracy_tiers
where stratification = 'overall' or (scope = 'all' and stratification = 'category_complexity')
order by stratification = 'overall' desc, scope asc, n desc, stratum asc
limit 60""",
    ),
    Question(
        "versions",
        "Did the last promotion help?",
        "Each version of the coefficients against the one before: better or worse only where the"
        " intervals part.",
        """\
select
    version_name, first_seen, last_seen, n, truncation_rate,
    underestimation_rate, median_smape, reserved_ratio, version_change
from marts.accuracy_by_coefficients
where stratification = 'overall'
order by version_no desc
limit 20""",
    ),
    Question(
        "budgets",
        "Budgets",
        "The ceiling that keeps truncation at the given rate, from the quantiles of demand.",
        """\
select
    coalesce(category, 'all') as category, coalesce(complexity, 'all') as complexity, labels,
    max_truncation, n, n_censored, budget_tokens, is_identified, is_exported
from marts.budget_quantiles
where cell_level = 0 or is_label_level
order by cell_level asc, n desc, labels asc, max_truncation asc
limit 80""",
    ),
    Question(
        "rates",
        "Which rate of truncation is cheapest",
        "What a call costs on average under the budget for each rate, relative to the cheapest:"
        " tokens generated, answers paid for twice, and reserved room at its price.",
        """\
select
    category, max_truncation, n, budget_tokens, cost_per_call, cost_ratio, is_cheapest, is_current
from marts.alpha_by_cost
order by n desc, category asc, max_truncation asc
limit 40""",
    ),
    Question(
        "signals",
        "Drift of demand",
        "Whether the newest calls still look like the ones before; the figure stands in its"
        " interval.",
        """\
select category, signal_name, n_now, n_before, figure, figure_low, figure_high, threshold, verdict
from marts.drift_signals
order by verdict = 'ok' asc, category asc, signal_name asc
limit 40""",
    ),
    Question(
        "multipliers",
        "Multipliers",
        "By which factor predictions missed: the origin's rule (t5_exact) beside the method that is"
        " exported.",
        """\
select
    method, estimator_version, category, complexity, n, multiplier, confidence, action,
    is_exported, gate_note
from marts.calibration_multipliers
where method in ('median_shrunk', 't5_exact')
order by method asc, n desc, multiplier_key asc
limit 40""",
    ),
    Question(
        "triage",
        "Truncation triage",
        "Each truncated phase counts once, however often it was run again. The factor is a lower"
        " bound: the call was cut off before it was done.",
        """\
select
    segmentation, segment, verdict, n_phases, n_events, median_factor, event_mean_factor,
    ceiling_below_prediction_share
from marts.truncation_triage
order by n_phases desc, segmentation asc, segment asc
limit 20""",
    ),
    Question(
        "phases",
        "Truncated phases",
        "What each of them needs at least.",
        """\
select
    phase_id, run_id, category, complexity, n_events, ceiling_tokens, output_bound, bound_factor,
    last_seen
from marts.truncated_phases
order by last_seen desc, phase_key asc
limit 20""",
    ),
    Question(
        "saved",
        "What a higher ceiling would have saved",
        "At a ceiling raised to a quantile of the finished calls: truncated calls that are known to"
        " fit, those that may, and the room that it reserves in addition.",
        """\
select
    category, complexity, quantile, new_ceiling, n_truncated, n_known_saved, n_saved_at_most,
    extra_reserved_tokens
from marts.truncation_what_if
order by n_truncated desc, category asc, complexity asc, quantile asc
limit 36""",
    ),
    Question(
        "bands",
        "Distribution of errors",
        "By the size of the error (smape, in per cent) and by predicted / actual.",
        """\
select measure, band, band_label, n, band_share
from marts.accuracy_bands
order by measure desc, band_no asc""",
    ),
    Question(
        "success",
        "Success by complexity",
        "A rate from fewer calls than min_samples says little.",
        """\
select complexity, n_outcome, n_success, success_rate, success_lower, success_upper, is_small_sample
from marts.accuracy_tiers
where scope = 'all' and stratification = 'complexity'
order by complexity asc""",
    ),
    Question(
        "gaps",
        "Where to collect next",
        "The sample that closes most gaps at once comes first.",
        """\
select
    gap_rank, category, complexity, deliverable_bucket, n, n_clean, needed_for_minimum,
    first_of_its, priority
from marts.coverage_gaps
where priority <> 'enough for the minimum'
order by gap_rank asc
limit 10""",
    ),
    Question(
        "targets",
        "Collection targets",
        "",
        """\
select
    target_name, samples, target_samples, groups_with_enough, target_groups, is_met
from marts.collection_progress
order by target_no asc""",
    ),
    Question(
        "scorecards",
        "Acceptance scorecards",
        "The criteria of the origin's documents, held against all telemetry that has landed.",
        """\
select document, criterion, target, value, status
from marts.acceptance_scorecards
order by document asc, criterion_no asc""",
    ),
    Question(
        "lines",
        "Data quality: files and lines",
        "lines = accepted + duplicate + quarantined + blank, for every file.",
        """\
select source_file, lines, accepted, duplicate, quarantined, blank, is_in_flight, is_present
from marts.line_accounting
order by quarantined desc, lines desc, source_file asc
limit 30""",
    ),
    Question(
        "rejects",
        "Data quality: quarantined lines",
        "",
        """\
select reject_reason, reject_fields, count(*) as n, min(source_file) as first_file
from marts.rejected_lines
group by reject_reason, reject_fields
order by n desc, reject_reason asc, reject_fields asc
limit 20""",
    ),
    Question(
        "quality",
        "Data quality: events",
        "Test rows and copies of one call are in no figure above.",
        """\
select
    count(*) as events,
    count(case when is_synthetic then 1 end) as test_rows,
    count(case when is_repeated then 1 end) as copies,
    count(case when is_failure_stub then 1 end) as failure_stubs,
    count(case when is_truncated is null then 1 end) as stop_unknown,
    count(case when is_ceiling_unknown then 1 end) as ceiling_unknown,
    count(case when predicted_output_tokens is null then 1 end) as without_prediction,
    count(case when is_count_zero then 1 end) as count_zero
from marts.estimates""",
    ),
)
