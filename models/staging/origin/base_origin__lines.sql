{#-
    A row of the NDJSON export is a record as it stands. A log line that tells a call is brought to
    the export's names: its clock is local (var origin_log_utc_offset), `None` is no value. Of a
    line with the tag that neither pattern matches, the fall-back line with actual_total (the input
    counts in it) among them, the time alone is read, so that it lacks the output and is refused.
-#}
{% set first = '[[]TokenEstimation[]] +Predicted: +[0-9]+ output tokens, +Actual: +[0-9]+ output tokens, +Error: +[0-9.]+%' %}
{% set second = '[[]TokenEstimationV2[]] +predicted_output=[0-9]+ +actual_output=[0-9]+ +smape=[0-9.]+% +selected_budget=[^ ]+ +category=[^ ]+ +complexity=[^ ]+ +deliverables=[0-9]+ +success=(True|False|None) +stop_reason=[^ ]+ +truncated=(True|False|None) +model=[^ ]+' %}
{% set time = regex_first('line_text', '([0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2})') %}
{% set is_call = regex_test('line_text', first ~ '|' ~ second) %}

{% set record %}
case
    when {{ regex_test('line_text', '^[ \t\r]*[{]') }} then line_text
    when {{ regex_test('line_text', '[[]TokenEstimation(V2)?[]] ') }}
        then '{' || concat_ws(
            ',',
            '"timestamp":"' || nullif({{ time }}, '') || '{{ var("origin_log_utc_offset") }}"'
            {%- for name, pattern in [
                ('predicted_output_tokens', '(?:predicted_output=|Predicted: +)([0-9]+)'),
                ('actual_output_tokens', '(?:actual_output=|Actual: +)([0-9]+)'),
                ('smape_percent', ' smape=([0-9.]+)%'),
                ('selected_budget', ' selected_budget=([^ ]+)'),
                ('deliverable_count', ' deliverables=([0-9]+)'),
            ] %},
            case
                when {{ is_call }}
                    then '"{{ name }}":' || nullif(nullif({{ regex_first('line_text', pattern) }}, ''), 'None')
            end
            {%- endfor %}
            {%- for name in ['success', 'truncated'] %},
            case
                when {{ is_call }}
                    then '"{{ name }}":' || nullif(
                        lower({{ regex_first('line_text', ' ' ~ name ~ '=(True|False)') }}), ''
                    )
            end
            {%- endfor %}
            {%- for name in ['category', 'complexity', 'stop_reason', 'model'] %},
            case
                when {{ is_call }}
                    then '"{{ name }}":' || {{ json_quoted(
                        "nullif(nullif(" ~ regex_first('line_text', ' ' ~ name ~ '=([^ ]+)') ~ ", ''), 'None')"
                    ) }}
            end
            {%- endfor %}
        ) || '}'
end
{% endset %}

{#- A call stands in logs and in exports, under its run and under unknown: told by its second and counts. -#}
{% set key %}
concat_ws(
    ':',
    'origin',
    cast(date_trunc('second', occurred_at_value) as string),
    coalesce(cast(predicted_output_tokens_value as string), ''),
    cast(actual_output_tokens_value as string)
)
{% endset %}

{{ land('origin', record=record, key=key) }}
