{#- Stops a run whose variables are not of the kind that the SQL expects. -#}
{% macro check_vars() %}
    {% set numbers = [
        'max_line_bytes', 'max_rejected_text', 'max_whole_number', 'under_multiplier',
        'stub_max_tokens', 'min_samples', 'confidence_threshold', 'increase_above', 'decrease_below',
        'interval_z', 'target_underestimation', 'target_truncation', 'target_p90_estimate_ratio',
        'target_p90_ceiling_ratio', 'min_successes', 'failure_mode_max_tokens',
        'max_failure_mode_share', 'target_smape',
        'tuned_ratio_low', 'tuned_ratio_high', 'recent_days', 'min_truncated_phases', 'runs_per_period',
        'budget_step', 'budget_minimum', 'unidentified_factor', 'sparse_below', 'shrinkage_calls',
        'estimate_range', 'max_budget_cells', 'history_calls', 'history_days', 'half_life_calls',
        'adaptive_batch_calls', 'adaptive_batches', 'adaptive_gain', 'veto_truncation',
        'veto_median_shift', 'drift_watch', 'drift_act', 'reserved_token_price', 'input_token_price',
        'retry_reservation',
    ] %}
    {% for name in numbers if var(name) is not number or var(name) < 0 %}
        {% do exceptions.raise_compiler_error(
            'var ' ~ name ~ ' is ' ~ var(name) ~ '; it must be a number of at least 0'
        ) %}
    {% endfor %}
{% endmacro %}
