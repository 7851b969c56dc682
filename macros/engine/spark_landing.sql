{% macro spark__telemetry_lines(files) %}select 1{% endmacro %}
{% macro spark__first_line_md5s(paths) %}select 1{% endmacro %}
{% macro spark__json_is_valid(text) -%}true{%- endmacro %}
{% macro spark__json_key_count(text) -%}1{%- endmacro %}
{% macro spark__json_has_duplicate_keys(text) -%}false{%- endmacro %}
{% macro spark__json_record(text, names) -%}null{%- endmacro %}
{% macro spark__json_member(record, name) -%}null{%- endmacro %}
{% macro spark__json_text(json) -%}null{%- endmacro %}
{% macro spark__json_text_list(json) -%}null{%- endmacro %}
