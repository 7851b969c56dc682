{#-
    Stops a run whose variables are not of the kind that the SQL expects: what is set from outside
    never reaches the SQL as anything but a number, a word, a flag or a time.
-#}
{% macro check_vars() %}
    {% set number = '[0-9]+([.][0-9]+)?(e[+-]?[0-9]+)?' %}
    {% set word = '[A-Za-z0-9._:-]{1,128}' %}
    {% set kinds = [
        {'pattern': number, 'is_text': false, 'what': 'a number of at least 0', 'names': [
            'format_version', 'max_line_bytes', 'max_rejected_text', 'max_whole_number',
            'under_multiplier', 'stub_max_tokens', 'min_samples', 'confidence_threshold',
            'increase_above', 'decrease_below', 'interval_z', 'target_underestimation',
            'target_truncation', 'target_p90_estimate_ratio', 'target_p90_ceiling_ratio',
            'min_successes', 'failure_mode_max_tokens', 'max_failure_mode_share', 'target_smape',
            'tuned_ratio_low', 'tuned_ratio_high', 'recent_days', 'min_truncated_phases',
            'runs_per_period', 'budget_step', 'budget_minimum', 'unidentified_factor',
            'shrinkage_calls', 'estimate_range', 'max_exported_cells', 'max_so_far_keys',
            'so_far_calls', 'so_far_half_life', 'so_far_shrinkage',
            'history_calls', 'history_days', 'half_life_calls', 'online_step',
            'online_calls', 'online_most', 'drift_calls', 'veto_truncation', 'veto_median_shift',
            'failed_call_shift', 'drift_watch', 'drift_act', 'reserved_token_price',
            'input_token_price', 'retry_reservation',
        ]},
        {'pattern': number, 'is_text': false, 'is_list': true, 'what': 'a list of numbers', 'names': [
            'synthetic_predicted_tokens', 'truncation_rates', 'cost_rates', 'what_if_quantiles',
        ]},
        {'pattern': '[a-z][a-z0-9_]{0,31}', 'is_text': true, 'is_list': true,
         'what': 'a list of names of folders in models/staging/', 'names': ['sources']},
        {'pattern': '[+-][0-9]{2}:[0-9]{2}', 'is_text': true, 'what': 'hours and minutes such as +11:00',
         'names': ['origin_log_utc_offset']},
        {'pattern': word, 'is_text': true, 'is_list': true, 'what': 'a list of words', 'names': [
            'partial_usage_flags',
        ]},
        {'pattern': '(?!(model|input_bin)$)[a-z][a-z0-9_]{0,31}', 'is_text': true, 'is_list': true,
         'most': 8, 'what': 'a list of 1 to 8 different names such as category or project, of small letters,'
         ~ ' digits and _, none of them model or input_bin', 'names': ['labels']},
        {'pattern': '[a-z][a-z0-9_]{0,63}', 'is_text': true, 'what': 'the name of a method', 'names': [
            'exported_multiplier', 'exported_budget',
        ]},
        {'pattern': 'True|False', 'is_text': false, 'what': 'true or false', 'names': ['final']},
        {'pattern': 'None|[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}:[0-9]{2})?',
         'what': 'a time such as 2026-01-31 00:00:00, or null', 'names': ['as_of']},
    ] %}
    {% for kind in kinds %}
        {% for name in kind.names %}
            {% set given = var(name) %}
            {% set is_list = given is iterable and given is not string and given is not mapping %}
            {% set wrong = [] %}
            {% for value in (given if is_list else [given]) %}
                {% if (value is string) != kind.get('is_text', value is string)
                    or not modules.re.fullmatch(kind.pattern, value | string) %}
                    {% do wrong.append(value) %}
                {% endif %}
            {% endfor %}
            {% if kind.most is defined and is_list and (
                not 1 <= given | length <= kind.most or given | unique | list | length < given | length
            ) %}
                {% do wrong.append(given) %}
            {% endif %}
            {% if wrong or is_list != kind.get('is_list', false) %}
                {% do exceptions.raise_compiler_error(
                    'var ' ~ name ~ ' is ' ~ given ~ '; it must be ' ~ kind.what
                ) %}
            {% endif %}
        {% endfor %}
    {% endfor %}
{% endmacro %}
