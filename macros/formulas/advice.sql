{#- One verdict on a group of calls: what its ceiling should do, and why. -#}

{#-
    Text: what is known of a group's ceiling at a rate. Never called safe without evidence: a lower
    ceiling needs a quantile that the calls show, and calls that the commonest ceiling does not cut
    off. Those that smaller ones cut off are part of the quantile.
-#}
{% macro ceiling_case() -%}
    case
        when n_known = 0 then 'unknown'
        when usual_ceiling_tokens is null and has_quantile then 'no_ceiling'
        when usual_ceiling_tokens is null then 'too_few'
        -- what smaller ceilings cut off asks for no other one where that of now is near, and holds
        when
            (
                is_usual_cut_off is false
                -- a ceiling that the calls show to be enough is above its rate half of the time
                or is_identified and budget_tokens <= usual_ceiling_tokens
                and not is_usual_surely_cut_off
            )
            and not is_cut_off_now and has_quantile and has_enough_calls
            and abs(budget_tokens - usual_ceiling_tokens)
            <= usual_ceiling_tokens * {{ var('worth_changing') }}
            then 'leave'
        when
            is_cut_off and budget_tokens > usual_ceiling_tokens
            and (has_quantile or n_known >= {{ var('min_samples') }})
            then 'raise'
        when is_cut_off and has_quantile and is_clamped then 'clamped_cut_off'
        when
            is_cut_off
            and (is_usual_cut_off is not false or not has_enough_calls or not is_identified)
            then 'too_few_cut_off'
        when not has_quantile then 'too_few'
        when budget_tokens >= usual_ceiling_tokens * (1 - {{ var('worth_changing') }}) then 'leave'
        when is_identified then 'lower'
        when is_clamped then 'clamped'
        else 'too_few'
    end
{%- endmacro %}

{#- Text: the verdict of a case: raise, lower, leave, or collect what would decide. -#}
{% macro ceiling_verdict() -%}
    case
        when advice_case in ('raise', 'lower', 'leave') then advice_case
        when advice_case = 'clamped' then 'leave'
        else 'collect'
    end
{%- endmacro %}

{#- Text: the reason of a case, in words. -#}
{% macro ceiling_reason() -%}
    {%- set above_largest -%}
    'such calls need more than the largest budget, '
                || cast(budget_tokens as string) || ' tokens (seed estimator_constants, max_budget)'
    {%- endset -%}
    {%- set changed_percent -%}
    cast(
        cast(
            {{ rounded('abs(100 - 100 * n_with_ceiling * budget_tokens / cast(reserved_tokens as double))') }}
            as bigint
        ) as string
    )
    {%- endset -%}
    {%- set cut_off -%}
    cast(n_ceiling_truncated as string) || ' of ' || cast(n_ceiling_known as string)
                || case when n_ceiling_truncated = 1 then ' was cut off' else ' were cut off' end
    {%- endset -%}
    {%- set n_in_window = '(n_ceiling_known + n_cut_off_elsewhere)' -%}
    {%- set by_smaller -%}
    'smaller ceilings cut off ' || cast(n_ceiling_truncated - n_usual_truncated as string)
                || ' of ' || cast(n_ceiling_known as string) || ', and the commonest'
    {%- endset -%}
    {%- set too_few -%}
    'too few calls: ' || cast({{ events_needed('max_truncation') }} as string)
                || ' that ended by themselves show ' || {{ plain_number('100 * max_truncation') }}
                || ' %'
    {%- endset -%}
    case advice_case
        when 'unknown'
            then
                'no call says how it ended'
                || case when usual_ceiling_tokens is null then ', or which ceiling it had' else '' end
        when 'too_few_cut_off'
            then
                case
                    when has_enough_calls then 'too much is cut off to say what such calls need'
                    else {{ cut_off }} || '; ' || {{ too_few }}
                end
        when 'too_few' then {{ too_few }}
        when 'clamped' then {{ above_largest }}
        when 'clamped_cut_off'
            then
                {{ cut_off }} || ', and ' || {{ above_largest }}
        when 'no_ceiling' then 'the records hold no ceiling to compare with'
        when 'raise'
            then
                {{ cut_off }}
                || case
                    when is_identified then ''
                    else ': how much longer they would have been cannot be seen yet'
                end
        when 'lower'
            then
                case
                    when is_cut_off then {{ by_smaller }} || ' is too large: '
                    else ''
                end
                -- smaller ceilings that rise to it may take more than the commonest gives back
                || case
                    when n_with_ceiling * budget_tokens > reserved_tokens
                        then
                            'in the place of all ceilings it reserves ' || {{ changed_percent }}
                            || ' % more'
                    else 'frees ' || {{ changed_percent }} || ' % of what is reserved'
                end
        else
            case
                when is_cut_off and n_ceiling_truncated > n_usual_truncated then {{ by_smaller }}
                else 'it'
            end
            || ' is near what such calls need'
    end
    || case
        when n_cut_off_elsewhere > max_truncation * {{ n_in_window }}
            then
                '; ' || cast(n_cut_off_elsewhere as string) || ' of '
                || cast({{ n_in_window }} as string)
                || ' were cut off far below their ceiling, as by a full context window'
        else ''
    end
{%- endmacro %}

{#- Text: what to type after a verdict. No command reads the schema of a host. -#}
{% macro advice_command() -%}
    {%- if is_guest() %}{{ return('cast(null as string)') }}{% endif -%}
    case
        when verdict in ('raise', 'lower') then 'tokenest promote'
        when verdict = 'collect' and n_known = 0 then 'tokenest advise --max-tokens 32000 PATH'
        when verdict = 'collect' then 'tokenest build'
    end
{%- endmacro %}

{#-
    Number: the rate that ceilings are advised for, of truncation_rates the nearest to the target.
-#}
{% macro advised_rate() %}
    {% if not execute %}{{ return(0) }}{% endif %}{# check_vars looks at the rates first #}
    {% set target = var('target_truncation') %}
    {% set best = namespace(rate=var('truncation_rates')[0]) %}
    {% for rate in var('truncation_rates') | sort %}
        {% if (rate - target) | abs < (best.rate - target) | abs %}
            {% set best.rate = rate %}
        {% endif %}
    {% endfor %}
    {{ return(best.rate) }}
{% endmacro %}
