{#-
    base_<source>__lines: every line of the source's files, once, with its verdict and the mapped
    members of its record. All sources land through this, so that all have the same verdicts and
    the same accounting. What a source may say of itself, as SQL over line_text:

    - record: the text that is judged as a JSON record; null for a line that is no call (other)
    - each: the lists that hold the records of a line, where it may hold several (json_records);
      then a row is a record, and a line without one is a row too
    - left_out: over <field>_value, why a record is no call, in a few words; null for a call
    - key: identity of a record, from <field>_value; without it the event_id; where it is null, the
      record's text
    - text_kept_where: rejected lines of which a piece of text is kept; without it of none
-#}
{% macro land(
    source, record='line_text', each=[], left_out=none, key=none, text_kept_where='false'
) %}
{{ config(
    enabled=is_read(source),
    materialized='incremental',
    incremental_strategy='append',
    pre_hook="{{ note_files('" ~ source ~ "') }}",
    post_hook='{{ mark_first_landing() }}',
) }}
{% do ref('base_telemetry__files') %}
{% set files = files_to_land(source) %}
{% if execute and not files and flags.WHICH in ['build', 'run'] %}
{{ no_lines(source) }}
{% elif execute %}
{% set fields = source_fields(source) %}
{% set required = fields | selectattr('required', 'defined') | list %}
{% set from_line = field_paths(fields, from_line=true) %}
{% set envelopes = source_envelopes(source) %}
{% set trees = envelope_trees(envelopes, fields) %}
{% set tree = path_tree(field_paths(fields) + envelope_names(envelopes)) %}
with

lines as (
    {{ telemetry_lines(files, holds_documents(source)) }}
),

-- a byte order mark before the first line and a carriage return after any line are no content
cleaned as (
    select
        source_file,
        file_bytes,
        modified_at,
        first_line_md5,
        has_open_tail,
        file_path,
        landed_bytes,
        landed_md5,
        line_no,
        is_last,
        is_tail,
        is_utf8,
        is_prose,
        case
            when line_no = 1 and left(line_text, 1) = '{{ "\ufeff" }}'
                then trim(trailing chr(13) from substring(line_text, 2))
            when {{ text_ends_with('line_text', 'chr(13)') }}
                then trim(trailing chr(13) from line_text)
            else line_text
        end as line_text
    from lines
),

measured as (
    select
        *,
        {{ byte_length('line_text') }} > {{ var('max_line_bytes') }} as is_too_long,
        {{ regex_test('line_text', '^[ \t\r]*$') }} as is_blank
    from cleaned
),

-- DuckDB evaluates both sides of `and`; `case` skips the expensive test
{% if each -%}
listed as (
    select
        *,
        case
            when not is_utf8 or is_too_long or is_blank then {{ record_of_line('line_text', from_line) }}
            when not {{ json_is_valid('line_text') }} then {{ record_of_line('line_text', from_line) }}
            else {{ json_records('line_text', each, from_line) }}
        end as items
    from measured
),

unpacked as (
    {{ numbered_items('listed', 'items') }}
),

recorded as (
    select
        *,
        item_no as record_no,
        case
            when is_utf8 and not is_too_long and not is_blank and not is_prose then item.record
        end as record_text
        {%- for path in from_line %},
        item.outer_{{ loop.index }} as outer_{{ loop.index }}
        {%- endfor %}
    from unpacked
),
{%- else -%}
recorded as (
    select
        *,
        1 as record_no,
        case
            when is_utf8 and not is_too_long and not is_blank {{- ' and not is_prose' if record == 'line_text' }}
                then {{ record }}
        end as record_text
    from measured
),
{%- endif %}

checked as (
    select
        *,
        record_text is null and is_utf8 and not is_too_long and not is_blank as is_no_record,
        {{ regex_test('record_text', '^[ \t\r]*[{]') }} as is_braced,
        case when record_text is not null then {{ json_is_valid('record_text') }} else false end
            as is_json
    from recorded
),

parsed as (
    select
        *,
        is_json and is_braced as is_object,
        case
            when is_json and is_braced
                then {{ json_record('record_text', tree) }}
        end as record
    from checked
),

{% if envelopes -%}
wrapped as (
    select
        *,
        {{ envelope_texts('record', envelopes, tree) }}
    from parsed
),

opened as (
    select
        *,
        {{ envelope_records(envelopes, trees) }}
    from wrapped
),
{%- endif %}

followed as (
    select
        *,
        {{ path_texts('record', fields, tree, trees) }}
    from {{ 'opened' if envelopes else 'parsed' }}
),

members as (
    select
        source_file,
        file_bytes,
        modified_at,
        first_line_md5,
        has_open_tail,
        file_path,
        landed_bytes,
        landed_md5,
        line_no,
        is_last,
        is_tail,
        is_utf8,
        line_text,
        record_text,
        is_too_long,
        is_blank,
        record_no,
        is_no_record,
        is_json,
        is_object,
        {{ event_members(fields) }}
    from followed
),

valued as (
    select
        *,
        {{ event_values(fields) }}
    from members
),

sorted as (
    select
        *,
        case
            when is_no_record then 'no record'
            {%- if left_out %}
            when is_object then {{ left_out }}
            {%- endif %}
        end as left_out
    from valued
),

compared as (
    select
        *,
        left_out is not null as is_other,
        coalesce({{ is_plain(fields) }}, false) as is_plain,
        coalesce({{ is_in_the_future('occurred_at_value') }}, false) as is_in_the_future,
        case
            when is_object and left_out is null then {{ has_unique_keys('record_text', fields) }}
        end as has_unique_keys
    from sorted
),

judged as (
    select
        *,
        case
            when is_plain and has_unique_keys and not is_tail and not is_in_the_future
                then cast(null as string)
            when is_tail then 'torn_tail'
            when not is_utf8 then 'not_utf8'
            when is_blank or is_other then cast(null as string)
            when is_too_long then 'line_too_long'
            when not is_json then 'not_json'
            when not is_object then 'not_an_object'
            when not has_unique_keys then 'duplicate_key'
            when {{ any_field(is_not_a_json_value, fields) }} then 'not_json'
            when {{ any_field(is_missing, required) }} then 'missing_field'
            when {{ any_field(is_wrong_type, fields) }} then 'wrong_type'
            when {{ any_field(is_not_a_time, fields) }} then 'not_a_time'
            when {{ any_field(is_out_of_range, fields) }} then 'out_of_range'
            when is_in_the_future then 'in_the_future'
        end as reject_reason
    from compared
),

named as (
    select
        *,
        case
            when reject_reason is null and not is_blank and not is_other
                then coalesce({{ key or 'event_id_value' }}, 'md5:' || md5(record_text))
        end as event_key
    from judged
),

final as (
    select
        source_file,
        line_no,
        cast(record_no as bigint) as record_no,
        cast({{ this_landing_no() }} as bigint) as landing_no,
        is_blank,
        reject_reason is null and is_other as is_other,
        case when reject_reason is null then left_out end as left_out,
        reject_reason,
        case reject_reason
            when 'missing_field' then {{ fields_where(is_missing, required) }}
            when 'wrong_type' then {{ fields_where(is_wrong_type, fields) }}
            when 'not_a_time' then {{ fields_where(is_not_a_time, fields) }}
            when 'out_of_range' then {{ fields_where(is_out_of_range, fields) }}
            when 'in_the_future' then 'occurred_at'
        end as reject_fields,
        case when reject_reason is not null then {{ byte_length('line_text') }} end as line_bytes,
        case when reject_reason is not null then md5(line_text) end as line_md5,
        case
            when reject_reason is not null
                then case
                    when {{ text_kept_where }} then left(line_text, {{ var('max_rejected_text') }})
                end
        end as line_text,
        event_key,
        case
            when event_key is not null
                then {{ "left(event_key, 4) <> 'md5:'" if key else 'event_id_value is not null' }}
        end as has_event_id,
        {{ stored_event_columns(source) }},
        case when is_last then file_bytes end as file_bytes,
        case when is_last then modified_at end as modified_at,
        case when is_last then first_line_md5 end as first_line_md5,
        case when is_last then has_open_tail end as has_open_tail,
        case when is_last then file_path end as file_path,
        case when is_last then landed_bytes end as landed_bytes,
        case when is_last then landed_md5 end as landed_md5
    from named
)

select * from final
{% endif %}
{% endmacro %}

{#- No row of base_<source>__lines: of a source without a file to land nothing is planned. -#}
{% macro no_lines(source) %}
    {% set columns = {
        'source_file': 'text', 'line_no': 'whole', 'record_no': 'whole', 'landing_no': 'whole', 'is_blank': 'flag',
        'is_other': 'flag', 'left_out': 'text', 'reject_reason': 'text', 'reject_fields': 'text',
        'line_bytes': 'whole', 'line_md5': 'text', 'line_text': 'text', 'event_key': 'text', 'has_event_id': 'flag',
    } %}
    {% for field in stored_fields(source) %}
        {% do columns.update({field['name']: field['type']}) %}
    {% endfor %}
    {% do columns.update({
        'file_bytes': 'whole', 'modified_at': 'time', 'first_line_md5': 'text', 'has_open_tail': 'flag',
        'file_path': 'text', 'landed_bytes': 'whole', 'landed_md5': 'text',
    }) %}
    {{ no_rows(columns) }}
{% endmacro %}
