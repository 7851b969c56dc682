{#- Rules that mark events which say nothing about real demand. Each is a boolean, never null. -#}

{#- Declared by the producer, or a prediction that only test rows carry (var synthetic_predicted_tokens). -#}
{% macro is_synthetic(predicted, recorded_flags) -%}
    (
        coalesce({{ predicted }} in ({{ var('synthetic_predicted_tokens') | join(', ') }}), false)
        or coalesce({{ list_has_any(recorded_flags, ['synthetic', 'synthetic_test_row', 'harness_smoke_test']) }}, false)
    )
{%- endmacro %}

{#- A call that did not succeed and gave fewer than stub_max_tokens: an error message, no answer. -#}
{% macro is_failure_stub(actual, is_success) -%}
    ({{ actual }} < {{ var('stub_max_tokens') }} and not coalesce({{ is_success }}, false))
{%- endmacro %}
