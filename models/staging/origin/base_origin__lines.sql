{#-
    A row of the NDJSON export is a record as it stands. A log line that tells a call is brought to
    the export's names: its clock is local (var origin_log_utc_offset), `None` is no value. Of a
    line with the tag that neither pattern matches, the fall-back line with actual_total (the input
    counts in it) among them, the time alone is read, so that it lacks the output and is refused.
-#}
{% set patterns = [
    '[[]TokenEstimation[]] +Predicted: +[0-9]+ output tokens, +Actual: +[0-9]+ output tokens,'
    ~ ' +Error: +[0-9.]+%',
    '[[]TokenEstimationV2[]] +predicted_output=[0-9]+ +actual_output=[0-9]+ +smape=[0-9.]+%'
    ~ ' +selected_budget=[^ ]+ +category=[^ ]+ +complexity=[^ ]+ +deliverables=[0-9]+'
    ~ ' +success=(True|False|None) +stop_reason=[^ ]+ +truncated=(True|False|None) +model=[^ ]+',
] %}
{% set members = {
    'predicted_output_tokens': '(?:predicted_output=|Predicted: +)([0-9]+)',
    'actual_output_tokens': '(?:actual_output=|Actual: +)([0-9]+)',
    'smape_percent': ' smape=([0-9.]+)%',
    'selected_budget': ' selected_budget=([^ ]+)',
    'deliverable_count': ' deliverables=([0-9]+)',
    'success': ' success=(True|False)',
    'truncated': ' truncated=(True|False)',
    'category': ' category=([^ ]+)',
    'complexity': ' complexity=([^ ]+)',
    'stop_reason': ' stop_reason=([^ ]+)',
    'model': ' model=([^ ]+)',
} %}
{% set texts = ['category', 'complexity', 'stop_reason', 'model'] %}
{% set time = '([0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2})' %}
{% set record = [
    "'\"timestamp\":\"' || nullif(" ~ regex_first('line_text', time) ~ ", '') || '"
    ~ var('origin_log_utc_offset') ~ "\"'"
] %}
{% for name, pattern in members.items() %}
    {% set value = "nullif(nullif(" ~ regex_first('line_text', pattern) ~ ", ''), 'None')" %}
    {% set json = json_quoted(value) if name in texts else 'lower(' ~ value ~ ')' %}
    {% do record.append("'\"" ~ name ~ "\":' || case when is_call then " ~ json ~ ' end') %}
{% endfor %}
{% set is_call = regex_test('line_text', patterns | join('|')) %}
{% set members_of_call = record | join(', ') | replace('is_call', is_call) %}
{% set as_json = "'{' || concat_ws(',', " ~ members_of_call ~ ") || '}'" %}
{% set has_tag = regex_test('line_text', '[[]TokenEstimation(V2)?[]] ') %}

{#- The same call stands in logs and exports, under several runs: told by its second and counts. -#}
{% set second = "cast(date_trunc('second', occurred_at_value) as string)" %}
{% set predicted = "coalesce(cast(predicted_output_tokens_value as string), '')" %}
{% set actual = 'cast(actual_output_tokens_value as string)' %}

{{ land(
    'origin',
    record='case when ' ~ regex_test('line_text', '^[ \t\r]*[{]') ~ ' then line_text when '
    ~ has_tag ~ ' then ' ~ as_json ~ ' end',
    key="concat_ws(':', 'origin', " ~ second ~ ', ' ~ predicted ~ ', ' ~ actual ~ ')',
) }}
