{#-
    Every figure that a user may turn, in the order of docs/reference/vars.md, which `make reference`
    prints from here: its group, its name, of which kind it is (flag, number, whole, numbers, words,
    names, paths, ceilings, choice, offset, version, path, time), its bounds, and what it does. dbt_project.yml has the defaults.
-#}
{% macro var_rules() %}
    {% set share = {'low': 0, 'high': 1} %}
    {% set rate = {'low': 0.0001, 'high': 0.9999} %}
    {{ return({
        'Labels': [
            dict(name='labels', kind='names', least=1, most=8,
                says='What budgets are told apart by, the widest first (docs/coefficients.md).'),
            dict(name='label_paths', kind='paths',
                says='Labels that every source but the project\'s own reads from a path of its record,'
                ~ ' such as {feature: metadata.feature} (docs/sources.md).'),
        ],
        'Landing': [
            dict(name='sources', kind='words', least=0 if is_guest() else 1,
                says='The log formats that are read: each a folder of models/staging/.'),
            dict(name='origin_log_utc_offset', kind='offset',
                says='Of the clock that the log lines of the origin were written by.'),
            dict(name='assumed_max_tokens', kind='ceilings',
                says='Ceilings of a source that records none, by source and model (`all`: every'
                ~ ' other one). They stay apart from recorded ones.'),
            dict(name='final', kind='flag',
                says='A last line without a newline is torn; without it, it is in flight.'),
            dict(name='max_line_bytes', kind='whole', low=1,
                says='Longer lines are quarantined (line_too_long).'),
            dict(name='max_rejected_text', kind='whole', low=0,
                says='Characters kept of a quarantined line.'),
        ],
        'Scoring': [
            dict(name='under_multiplier', kind='number', low=0,
                says='A call is underestimated when actual > predicted * under_multiplier.'),
            dict(name='stub_max_tokens', kind='whole', low=0,
                says='A failed call with fewer output tokens is a failure stub.'),
            dict(name='synthetic_runs', kind='words',
                says='Runs (run_id) of test rows alone, which no quality flag marks.'),
        ],
        'Gates of the calibration': [
            dict(name='min_samples', kind='whole', low=1,
                says='A multiplier or a verdict needs so many calls.'),
            dict(share, name='confidence_threshold', kind='number',
                says='A multiplier needs this confidence.'),
            dict(name='success_only', kind='flag',
                says='Budgets rest on calls recorded as successful alone, as multipliers always do:'
                ~ ' one of unknown success counts as failed.'),
            dict(name='increase_above', kind='number', low=1,
                says='A multiplier above it asks for a higher estimate.'),
            dict(share, name='decrease_below', kind='number',
                says='A multiplier below it asks for a lower estimate.'),
            dict(name='exported_multiplier', kind='choice',
                values=['median_shrunk', 'moving_average', 'median', 't5_exact', 't5_damped'],
                says='The method of marts.multipliers that is exported.'),
            dict(name='exported_budget', kind='choice', values=['budget_blend', 'budget_strict'],
                says='The method that sizes the exported budgets.'),
        ],
        'Demand and budgets': [
            dict(rate, name='truncation_rates', kind='numbers', least=1,
                says='Rates of truncation that budgets are made for.'),
            dict(name='budget_step', kind='whole', low=1,
                says='Budgets are rounded up to a multiple of it, in tokens.'),
            dict(name='budget_minimum', kind='whole', low=1,
                says='The smallest budget, in tokens.'),
            dict(share, name='tail_index', kind='number',
                says='Of the tail beyond the largest bound, where the data do not show a quantile: where'
                ~ ' twice the rate is beyond it, the quantile is 2 to this power times the bound.'),
            dict(name='shrinkage_calls', kind='number', low=0,
                says='Calls that the parent counts for in median_shrunk.'),
            dict(share, name='estimate_range', kind='number',
                says='Share of the calls that the exported range of an estimate is to hold.'),
            dict(name='max_exported_cells', kind='whole', low=0,
                says='Most cells that are exported with budgets, most with a median, and most with a'
                ~ ' multiplier: those with the most calls. The runtime reads 100,000 rows.'),
            dict(name='max_so_far_keys', kind='whole', low=0,
                says='Most models, and most values of the widest label, whose calls so far are exported.'),
            dict(name='max_asked_models', kind='whole', low=0,
                says='Models that marts.max_tokens answers for with labels that they were never seen'
                ~ ' with: those with the most calls.'),
            dict(name='so_far_calls', kind='whole', low=1,
                says='The newest calls that are replayed for what new models and labels needed so far.'),
            dict(name='so_far_half_life', kind='whole', low=1,
                says='In that replay a call this many calls of its model or label back counts half.'),
            dict(name='so_far_shrinkage', kind='number', low=0,
                says='Calls without effect that a model or label is taken to begin with.'),
            dict(name='min_runs', kind='whole', low=1,
                says='Runs that a table of run factors has to help on before it is kept.'),
            dict(name='partial_usage_flags', kind='words',
                says='Quality flags of a call whose output was not measured as such.'),
            dict(share, name='max_partial_share', kind='number',
                says='A source, version and model with more calls counted in part sizes no budget.'),
            dict(share, name='starved_share', kind='number',
                says='A cut-off call that spent more of its output on reasoning is starved by it.'),
            dict(share, name='reach_share', kind='number',
                says='Starved calls are runaways where the others of their labels and model that needed half'
                ~ ' of their ceiling are fewer, by this share.'),
            dict(share, name='window_share', kind='number',
                says='A call that was cut off below this share of its ceiling was not cut off by it.'),
        ],
        'Adaptation': [
            dict(name='history_calls', kind='whole', low=0,
                says='The newest calls of each category, complexity and model that count; 0: all.'),
            dict(name='history_days', kind='whole', low=0,
                says='Calls older than this, from the end of the window (or as_of), do not count; 0: all do.'),
            dict(name='half_life_calls', kind='number', low=0,
                says='A call this many calls back counts half; 0: all count the same.'),
            dict(share, name='online_step', kind='number',
                says='A truncation too many moves the logarithm of a budget by it; 0: never.'),
            dict(name='online_calls', kind='whole', low=1,
                says='Calls of one table that move budgets in full, and that a model needs for an'
                ~ ' online rate of its own.'),
            dict(name='online_most', kind='number', low=0, high=3,
                says='The most that the logarithm of a budget is moved by the online rate.'),
            dict(name='drift_calls', kind='whole', low=1,
                says='The newest calls of a category that are compared with those before.'),
            dict(name='drift_watch', kind='number', low=0,
                says='Stability index above which a category is watched.'),
            dict(name='drift_act', kind='number', low=0,
                says='Stability index above which the history of a category is no guide any more.'),
        ],
        'Cost view, in prices of one output token': [
            dict(name='reserved_token_price', kind='number', low=0,
                says='Price of a reserved token that is not used.'),
            dict(name='input_token_price', kind='number', low=0,
                says='Price of an input token.'),
            dict(name='retry_reservation', kind='number', low=0,
                says='A call that is cut off reserves this many budgets more.'),
            dict(rate, name='cost_rates', kind='numbers', least=1,
                says='Rates of truncation that are compared.'),
        ],
        'Vetoes of a multiplier': [
            dict(share, name='veto_truncation', kind='number',
                says='More of the calls than this were truncated.'),
            dict(name='veto_median_shift', kind='number', low=0,
                says='The median with truncated calls differs by more than this.'),
            dict(name='failed_call_shift', kind='number', low=0,
                says='Failed calls would move a quantile by more than this.'),
        ],
        'Analysis': [
            dict(name='interval_z', kind='number', low=0,
                says='Standard errors of the intervals; 1.96 are 95 %.'),
            dict(share, name='worth_changing', kind='number',
                says='`tokenest advise` leaves a ceiling as it is for less than this share of it.'),
            dict(name='present_calls', kind='whole', low=1,
                says='Newest calls of a group, in whole hours, whose commonest ceiling is that of now.'),
            dict(share, name='target_underestimation', kind='number',
                says='Tier 1: most calls that may need more than predicted.'),
            dict(share, name='target_truncation', kind='number',
                says='Tier 1: most calls that may be cut off.'),
            dict(name='target_p90_estimate_ratio', kind='number', low=0,
                says='Tier 2: 90 % of the predictions are below this multiple of the output.'),
            dict(name='target_p90_ceiling_ratio', kind='number', low=0,
                says='Tier 2: the same of the ceilings; budgets for 5 % measured 8.6.'),
            dict(name='min_successes', kind='whole', low=0,
                says='Fewer successes decide nothing.'),
            dict(name='failure_mode_max_tokens', kind='whole', low=0,
                says='A failed call that ended by itself with less is a failure mode.'),
            dict(share, name='max_failure_mode_share', kind='number',
                says='With more failure modes than this nothing is tuned on the stratum.'),
            dict(name='tuned_ratio_low', kind='number', low=0,
                says='The lowest median of predicted / actual of a well tuned group.'),
            dict(name='tuned_ratio_high', kind='number', low=0,
                says='The highest one.'),
            dict(name='recent_days', kind='whole', low=0,
                says='Alerts and the scope `recent` look back so far from the end of the window (or as_of).'),
            dict(share, name='what_if_quantiles', kind='numbers', least=1,
                says='Quantiles that the triage tries as ceilings.'),
            dict(name='runs_per_period', kind='whole', low=1,
                says='Runs in one period of the trend by runs.'),
            dict(name='baseline', kind='version',
                says='The version of the coefficients that others are compared with, by its id or name in'
                ~ ' marts.coefficient_versions; null: the first that was used.'),
            dict(name='origin_phases', kind='path',
                says='Where the origin\'s table of phases is, NDJSON in a folder of TOKENEST_TELEMETRY'
                ~ ' (docs/collection.md); null: nowhere.'),
            dict(name='as_of', kind='time',
                says='The analysis looks at the world as it was then; null: at the newest event.'),
        ],
    }) }}
{% endmacro %}

{#- Text: what the value of a var has to be. -#}
{% macro var_wants(rule) %}
    {% set bounds = '' if rule.low is not defined
        else ' from ' ~ rule.low ~ ' to ' ~ rule.high if rule.high is defined
        else ' of at least ' ~ rule.low %}
    {% set different = ', all different and at least one' if rule.least is defined else '' %}
    {{ return({
        'flag': 'true or false',
        'number': 'a number' ~ bounds,
        'whole': 'a whole number' ~ bounds,
        'numbers': 'a list of numbers' ~ bounds ~ different,
        'words': 'a list of words' ~ different,
        'names': 'a list of 1 to ' ~ rule.get('most') ~ ' different names such as category or project,'
            ~ ' of small letters, digits and _, a letter first, none of them estimate_bin, model, input_bin, deliverable_bucket or outcome',
        'paths': 'names such as feature with a path each, of letters, digits and _ $ . / + > { } [ ]',
        'choice': 'one of ' ~ rule.get('values', []) | join(', '),
        'ceilings': 'sources with their models and the tokens of each, such as {codex: {all: 32000}}',
        'offset': 'hours and minutes such as +11:00',
        'version': 'a name of letters, digits, blanks and . _ : -, or null',
        'path': 'a path of letters, digits, blanks and . _ / -, or null',
        'time': 'a time such as 2026-01-31 00:00:00, or null',
    }[rule.kind]) }}
{% endmacro %}

{#-
    Boolean: the value is of the kind that the SQL expects. What is set from outside never reaches
    the SQL as anything but a number, a word, a flag or a time.
-#}
{% macro var_is_well_set(rule, given) %}
    {% if rule.kind == 'paths' %}
        {% set wrong = [] if given is mapping else [given] %}
        {% for name, path in (given.items() if given is mapping else []) %}
            {% if not modules.re.fullmatch('[a-z][a-z0-9_]{0,31}', name | string)
                or not modules.re.fullmatch('[A-Za-z0-9_$./+>{}[\\]\" -]{1,200}', path | string) %}
                {% do wrong.append(name) %}
            {% endif %}
        {% endfor %}
        {{ return(not wrong) }}
    {% endif %}
    {% if rule.kind == 'ceilings' %}
        {% set tokens = [] %}
        {% for models in (given.values() if given is mapping else [none]) %}
            {% do tokens.extend(models.values() if models is mapping else [none]) %}
        {% endfor %}
        {{ return(not tokens | reject('integer') | list and not tokens | select('lt', 1) | list) }}
    {% endif %}
    {% set pattern = {
        'flag': 'True|False',
        'number': '[0-9]+([.][0-9]+)?(e[+-]?[0-9]+)?',
        'numbers': '[0-9]+([.][0-9]+)?(e[+-]?[0-9]+)?',
        'whole': '[0-9]+',
        'words': '[A-Za-z0-9._:-]{1,128}',
        'names': '(?!(estimate_bin|model|input_bin|deliverable_bucket|outcome)$)[a-z][a-z0-9_]{0,31}',
        'choice': rule.get('values', []) | join('|'),
        'offset': '[+-][0-9]{2}:[0-9]{2}',
        'version': 'None|[A-Za-z0-9._: -]{1,300}',
        'path': 'None|[A-Za-z0-9._/ -]{1,1000}',
        'time': 'None|[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}:[0-9]{2})?',
    }[rule.kind] %}
    {% set is_text = rule.kind in ['words', 'names', 'choice', 'offset'] %}
    {% set is_list = given is iterable and given is not string and given is not mapping %}
    {% set wrong = [] if is_list == (rule.kind in ['numbers', 'words', 'names']) else [given] %}
    {% for value in (given if is_list else [given]) %}
        {% if rule.kind not in ['time', 'version', 'path'] and (value is string) != is_text
            or not modules.re.fullmatch(pattern, value | string)
            or value is number and not rule.get('low', value) <= value <= rule.get('high', value) %}
            {% do wrong.append(value) %}
        {% endif %}
    {% endfor %}
    {% if rule.least is defined and is_list and (
        not rule.least <= given | length <= rule.get('most', given | length)
        or given | unique | list | length < given | length
    ) %}
        {% do wrong.append(given) %}
    {% endif %}
    {{ return(not wrong) }}
{% endmacro %}

{#-
    The vars that are one number or a flag, by name: the value, its bounds, and what it has to be in
    words. A plan leaves them open (tokenest_py/pipeline/plan/figures.py).
-#}
{% macro figure_rules() %}
    {% set found = {} %}
    {% for rule in var_rules().values() | sum(start=[])
        if rule.kind in ('number', 'whole', 'flag') %}
        {% do found.update({rule.name: {
            'value': var(rule.name), 'kind': rule.kind, 'wants': var_wants(rule),
            'low': rule.get('low'), 'high': rule.get('high'),
        }}) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}

{#- The names of all vars. -#}
{% macro known_vars() %}
    {{ return(['backtest'] + var_rules().values() | sum(start=[]) | map(attribute='name') | list) }}
{% endmacro %}

{#- What is said of a var that nothing reads. -#}
{% macro unknown_var(name) %}
    {{ return('var ' ~ name ~ ' is none of tokenest; docs/reference/vars.md has them all') }}
{% endmacro %}

{#- Stops at a var that models cannot read as it is: dbt reads them before it looks at vars. -#}
{% macro refuse_var(name) %}
    {% for rule in var_rules().values() | sum(start=[]) if rule.name == name %}
        {% do exceptions.raise_compiler_error(
            'var ' ~ name ~ ' is ' ~ var(name) ~ '; it must be ' ~ var_wants(rule)
        ) %}
    {% endfor %}
{% endmacro %}

{#- The names in a host's dbt_project.yml that one slip makes of the name of a var. -#}
{% macro slips_of(name) %}
    {% set slips = ['tokenest_' ~ name, 'tokenest__' ~ name ~ 's'] %}
    {% for at in range(name | length) %}
        {% set head, letter, tail = 'tokenest__' ~ name[:at], name[at], name[at + 1:] %}
        {% set swapped = head ~ tail[:1] ~ letter ~ tail[1:] %}
        {% do slips.extend([head ~ tail, head ~ letter ~ letter ~ tail, swapped]) %}
    {% endfor %}
    {{ return(slips | unique | list) }}
{% endmacro %}

{#-
    Warns of each var of a host that is none of these by one slip. dbt says whether there is a var of a name,
    and gives no list of them.
-#}
{% macro name_misspelt_vars(known) %}
    {% for name in known %}
        {% for slip in slips_of(name) if builtins.var.has_var(slip) and slip[10:] not in known %}
            {% do exceptions.warn(
                unknown_var(slip) ~ '. Nothing reads it; is tokenest__' ~ name ~ ' meant?'
            ) %}
        {% endfor %}
    {% endfor %}
{% endmacro %}

{#-
    Stops a run where a var is not of its kind or not within its bounds, or was given and is read by
    nothing: one line that names them all. Vars of a host project are its own, but for tokenest__<name>.
-#}
{% macro check_vars() %}
    {% set rules = var_rules().values() | sum(start=[]) %}
    {% set known = known_vars() %}
    {% if is_guest() %}
        {% do known.append('events') %}
        {% do name_misspelt_vars(known) if execute %}
    {% endif %}
    {% set prefix = 'tokenest__' if is_guest() else '' %}
    {% set wrong = [] %}
    {% for name in invocation_args_dict.get('vars') or {}
        if name.startswith(prefix) and name[prefix | length:] not in known %}
        {% do wrong.append(unknown_var(name)) %}
    {% endfor %}
    {% for rule in rules if not var_is_well_set(rule, var(rule.name)) %}
        {% do wrong.append(
            'var ' ~ prefix ~ rule.name ~ ' is ' ~ var(rule.name) ~ '; it must be ' ~ var_wants(rule)
        ) %}
    {% endfor %}
    {% if wrong %}{% do exceptions.raise_compiler_error(wrong | join('; ')) %}{% endif %}
{% endmacro %}

{#- Prints docs/reference/vars.md. -#}
{% macro print_vars() %}
    {% do print('# Vars\n\nEvery figure that you may turn: in `dbt_project.yml`, or for one run'
        ~ ' with `--vars \'{min_samples: 10}\'`.\nA run stops at values out of their bounds, and names them'
        ~ ' all. `make reference` prints this page\nfrom `macros/project/vars.sql`.') %}
    {% for group, rules in var_rules().items() %}
        {% do print('\n## ' ~ group
            ~ '\n\n| var | default | what it must be | what it does |\n|---|---|---|---|') %}
        {% for rule in rules %}
            {% set cells = ['`' ~ rule.name ~ '`', '`' ~ tojson(var(rule.name)) ~ '`',
                var_wants(rule), rule.says] %}
            {% do print('| ' ~ cells | join(' | ') ~ ' |') %}
        {% endfor %}
    {% endfor %}
{% endmacro %}
