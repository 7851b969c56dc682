{#-
    A test row: declared by the producer, or of a run of test rows alone (var synthetic_runs). No
    value of a call makes it one.
-#}
{% macro is_synthetic(run_id, recorded_flags) -%}
    (
        {%- if var('synthetic_runs') %}
        coalesce({{ run_id }} in ('{{ var('synthetic_runs') | join("', '") }}'), false)
        or
        {%- endif %}
        coalesce({{ list_has_any(
            recorded_flags, ['synthetic', 'synthetic_test_row', 'harness_smoke_test']
        ) }}, false)
    )
{%- endmacro %}

{#-
    A call that failed and gave fewer than stub_max_tokens: an error message, no answer.
-#}
{% macro is_failure_stub(actual, is_success) -%}
    ({{ actual }} < {{ var('stub_max_tokens') }} and not coalesce({{ is_success }}, true))
{%- endmacro %}

{#- Boolean: the event counts in an analysis. Test rows and copies of one call do not. -#}
{% macro is_analysed(relation=none) -%}
    {%- set of = relation ~ '.' if relation else '' -%}
    (not {{ of }}is_synthetic and not {{ of }}is_repeated)
{%- endmacro %}

{#-
    Boolean: a call that failed, ended by itself and gave next to nothing. It says nothing about
    demand, and nothing is tuned on it.
-#}
{% macro is_failure_mode() -%}
    (
        coalesce(not is_success, false) and coalesce(not is_truncated, false)
        and actual_output_tokens < {{ var('failure_mode_max_tokens') }}
    )
{%- endmacro %}

{#- Boolean: the call succeeded and was not cut off, so that its output is what it needed. -#}
{% macro is_finished() -%}
    (not is_truncated and is_success)
{%- endmacro %}

{#-
    Boolean: the call is not known to have failed; with success_only one whose success nobody
    recorded counts as failed.
-#}
{% macro counts_as_success() -%}
    coalesce(is_success, not {{ var('success_only') | lower }})
{%- endmacro %}

{#- Text: success, failure or unknown, by is_success. -#}
{% macro outcome() -%}
    case
        when is_success then 'success'
        when not is_success then 'failure'
        else 'unknown'
    end
{%- endmacro %}

{#- Boolean: the record says how the call ended, in a word that seed stop_reasons knows. -#}
{% macro is_stop_known() -%}
    (stop_class not in ('unrecorded', 'unknown'))
{%- endmacro %}
