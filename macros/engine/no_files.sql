{#-
    What a landing alone needs, on engines where no files land: nothing. dbt looks for a body of each
    of them before it knows whether a model is enabled.
-#}
{% macro default__utc_timestamp(text) %}{% endmacro %}
{% macro default__time_of_micros(micros) %}{% endmacro %}
{% macro default__numbered_items(relation, list) %}{% endmacro %}
{% macro default__json_key_count(text) %}{% endmacro %}
{% macro default__json_records(text, each, from_line) %}{% endmacro %}
{% macro default__record_of_line(text, from_line) %}{% endmacro %}
{% macro default__json_has_keys(text, names) %}{% endmacro %}
{% macro default__json_text_at(text, path) %}{% endmacro %}
{% macro default__json_holds_one(text, paths) %}{% endmacro %}
{% macro default__json_has_envelope(text, names, paths) %}{% endmacro %}
{% macro default__telemetry_lines(files, documents=false) %}{% endmacro %}
{% macro default__matched_contents(paths, candidates) %}{% endmacro %}
{% macro default__note_landed(relation, listing, files) %}{% endmacro %}
{% macro default__delete_rows(relation, condition) %}{% endmacro %}
{% macro default__file_heads(paths) %}{% endmacro %}
{% macro default__list_telemetry() %}{% endmacro %}
{% macro default__matching_files(glob) %}{% endmacro %}
{% macro default__write_lines(query, path) %}{% endmacro %}
{% macro default__form_visible_characters(content) %}{% endmacro %}
