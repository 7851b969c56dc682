{#-
    What an engine owes. Each macro has a `default__` body, here in the words of standard SQL as far as it
    has any, and in no_files.sql where only a landing needs it: files land on DuckDB and Spark alone. What
    an engine says otherwise is in its folder (`duckdb__…`, `spark__…`, `postgres__…`). A default is no
    word that engines read differently, such as [1], which is the second item on some: they refuse it.
    tests/dbt/singular/engine_macros_agree.sql holds the engines to the same answers.
-#}

{#- Boolean: files of telemetry land on this engine; on others events stand in a relation. -#}
{% macro lands_files() %}
    {{ return(adapter.dispatch('lands_files', 'tokenest')()) }}
{% endmacro %}
{% macro default__lands_files() %}
    {{ return(false) }}
{% endmacro %}

{#-
    Models, seeds and tests are written in the type names of DuckDB and Spark, `string` and `double`;
    an engine that has others gets its own.
-#}
{% macro engine_sql(sql) %}
    {{ return(adapter.dispatch('engine_sql', 'tokenest')(sql)) }}
{% endmacro %}
{% macro default__engine_sql(sql) %}
    {{ return(sql) }}
{% endmacro %}

{#- Runs what the engine's planner needs once a statement ran, such as one that made a table. -#}
{% macro after_statement(sql) %}
    {{ return(adapter.dispatch('after_statement', 'tokenest')(sql)) }}
{% endmacro %}
{% macro default__after_statement(sql) %}
{% endmacro %}

{#-
    The columns of a relation, by their names in lower case: the name as SQL, the type, and whether it
    is text.
-#}
{% macro relation_columns(relation) %}
    {{ return(adapter.dispatch('relation_columns', 'tokenest')(relation)) }}
{% endmacro %}
{% macro default__relation_columns(relation) %}
    {% set columns = {} %}
    {% set no_row = 'select * from ' ~ relation ~ ' where false' %}
    {% for column in adapter.get_column_schema_from_query(no_row) %}
        {% do columns.update({column.name.lower(): {
            'quoted': column.quoted, 'type': column.data_type.lower(), 'is_text': column.is_string(),
        }}) %}
    {% endfor %}
    {{ return(columns) }}
{% endmacro %}

{#- 'a', 'b': quoted and escaped, so that a file's name can never be read as SQL. -#}
{% macro text_literals(values) -%}
    {{ return(adapter.dispatch('text_literals', 'tokenest')(values)) }}
{%- endmacro %}
{% macro default__text_literals(values) -%}
    {%- for value in values -%}
        '{{ value | replace("'", "''") }}'{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- Boolean: the path of a file is text; a file system takes any bytes. -#}
{% macro is_text(path) -%}
    {{ return(adapter.dispatch('is_text', 'tokenest')(path)) }}
{%- endmacro %}
{% macro default__is_text(path) -%}
    true
{%- endmacro %}

{#- The path of a file as text: bytes that are none are escaped. -#}
{% macro path_as_text(path) -%}
    {{ return(adapter.dispatch('path_as_text', 'tokenest')(path)) }}
{%- endmacro %}
{% macro default__path_as_text(path) -%}
    {{ path }}
{%- endmacro %}

{#- Boolean: the pattern matches somewhere in the text. -#}
{% macro regex_test(text, pattern) -%}
    {{ return(adapter.dispatch('regex_test', 'tokenest')(text, pattern)) }}
{%- endmacro %}
{% macro default__regex_test(text, pattern) -%}
    {{ regex_test_by(text, text_literals([pattern])) }}
{%- endmacro %}

{#- Boolean: a pattern that stands in a column matches somewhere in the text. -#}
{% macro regex_test_by(text, pattern) -%}
    {{ return(adapter.dispatch('regex_test_by', 'tokenest')(text, pattern)) }}
{%- endmacro %}
{% macro default__regex_test_by(text, pattern) -%}
    (regexp_instr({{ text }}, {{ pattern }}) > 0)
{%- endmacro %}

{#- The first group of a pattern's first match; an empty text without a match. -#}
{% macro regex_first(text, pattern) -%}
    {{ return(adapter.dispatch('regex_first', 'tokenest')(text, pattern)) }}
{%- endmacro %}
{% macro default__regex_first(text, pattern) -%}
    {{ regex_first_by(text, text_literals([pattern])) }}
{%- endmacro %}

{#- The same first group, of a pattern that is SQL itself. -#}
{% macro regex_first_by(text, pattern) -%}
    {{ return(adapter.dispatch('regex_first_by', 'tokenest')(text, pattern)) }}
{%- endmacro %}
{% macro default__regex_first_by(text, pattern) -%}
    regexp_extract({{ text }}, {{ pattern }}, 1)
{%- endmacro %}

{#- Text: every match of the pattern replaced. -#}
{% macro regex_replace_all(text, pattern, replacement) -%}
    {{ return(adapter.dispatch('regex_replace_all', 'tokenest')(text, pattern, replacement)) }}
{%- endmacro %}
{% macro default__regex_replace_all(text, pattern, replacement) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '{{ replacement }}', 'g')
{%- endmacro %}

{#- What stands for a group of the pattern in such a replacement. -#}
{% macro group_of_match(number) -%}
    {{ return(adapter.dispatch('group_of_match', 'tokenest')(number)) }}
{%- endmacro %}
{% macro default__group_of_match(number) -%}
    {{ return('\\' ~ number) }}
{%- endmacro %}

{#- Boolean: the text begins so. -#}
{% macro text_starts_with(text, beginning) -%}
    {{ return(adapter.dispatch('text_starts_with', 'tokenest')(text, beginning)) }}
{%- endmacro %}
{% macro default__text_starts_with(text, beginning) -%}
    starts_with({{ text }}, {{ beginning }})
{%- endmacro %}

{#- Boolean: the text ends so. -#}
{% macro text_ends_with(text, ending) -%}
    {{ return(adapter.dispatch('text_ends_with', 'tokenest')(text, ending)) }}
{%- endmacro %}
{% macro default__text_ends_with(text, ending) -%}
    (right({{ text }}, length({{ ending }})) = {{ ending }})
{%- endmacro %}

{#- Text without the characters at its ends; `ends` is both, or trailing. -#}
{% macro trimmed(text, characters, ends='both') -%}
    {{ return(adapter.dispatch('trimmed', 'tokenest')(text, characters, ends)) }}
{%- endmacro %}
{% macro default__trimmed(text, characters, ends='both') -%}
    {{ 'trim' if ends == 'both' else 'rtrim' }}({{ text }}, {{ text_literals([characters]) }})
{%- endmacro %}

{#- Bytes of a text, without counting its letters. -#}
{% macro byte_length(text) -%}
    {{ return(adapter.dispatch('byte_length', 'tokenest')(text)) }}
{%- endmacro %}
{% macro default__byte_length(text) -%}
    octet_length({{ text }})
{%- endmacro %}

{#- A time with Z or an offset, or without (taken as UTC), as a timestamp in UTC; else null. -#}
{% macro utc_timestamp(text) -%}
    {{ return(adapter.dispatch('utc_timestamp', 'tokenest')(text)) }}
{%- endmacro %}

{#- So many days before a time. -#}
{% macro days_before(days, time) -%}
    {{ return(adapter.dispatch('days_before', 'tokenest')(days, time)) }}
{%- endmacro %}
{% macro default__days_before(days, time) -%}
    {{ dbt.dateadd('day', '-' ~ days, time) }}
{%- endmacro %}

{#- A time in microseconds since 1970 as the text of RFC 3339, in UTC. -#}
{% macro time_of_micros(micros) -%}
    {{ return(adapter.dispatch('time_of_micros', 'tokenest')(micros)) }}
{%- endmacro %}

{#-
    A whole number of 64 bits, the same for the same text on one engine; sums of it do not
    overflow.
-#}
{% macro key_hash(text) -%}
    {{ return(adapter.dispatch('key_hash', 'tokenest')(text)) }}
{%- endmacro %}
{% macro default__key_hash(text) -%}
    hash({{ text }})
{%- endmacro %}

{#- Aggregate: the texts joined by ', ', sorted; null when there is none. -#}
{% macro joined_text(value) -%}
    {{ return(adapter.dispatch('joined_text', 'tokenest')(value)) }}
{%- endmacro %}
{% macro default__joined_text(value) -%}
    string_agg({{ value }}, ', ' order by {{ value }})
{%- endmacro %}

{#- A number from a text; null where the text is none. -#}
{% macro number_of_text(text) -%}
    {{ return(adapter.dispatch('number_of_text', 'tokenest')(text)) }}
{%- endmacro %}
{% macro default__number_of_text(text) -%}
    try_cast({{ text }} as double)
{%- endmacro %}

{#- The logarithm to base 2 of a number, whole where the number is a power of 2. -#}
{% macro log2_of(number) -%}
    {{ return(adapter.dispatch('log2_of', 'tokenest')(number)) }}
{%- endmacro %}
{% macro default__log2_of(number) -%}
    log2(cast({{ number }} as double))
{%- endmacro %}

{#- A number to so many decimals, halves away from 0. -#}
{% macro rounded(value, decimals=0) -%}
    {{ return(adapter.dispatch('rounded', 'tokenest')(value, decimals)) }}
{%- endmacro %}
{% macro default__rounded(value, decimals) -%}
    round({{ value }}{{ ', ' ~ decimals if decimals }})
{%- endmacro %}

{#- How many items a list has. -#}
{% macro list_size(list) -%}
    {{ return(adapter.dispatch('list_size', 'tokenest')(list)) }}
{%- endmacro %}
{% macro default__list_size(list) -%}
    cast(cardinality({{ list }}) as bigint)
{%- endmacro %}

{#- The item of a list, counted from 1. -#}
{% macro list_item(list, position) -%}
    {{ return(adapter.dispatch('list_item', 'tokenest')(list, position)) }}
{%- endmacro %}
{% macro default__list_item(list, position) -%}
    element_at({{ list }}, {{ position }})
{%- endmacro %}

{#- Whether a list of text holds one of the values. -#}
{% macro list_has_any(list, values) -%}
    {{ return(adapter.dispatch('list_has_any', 'tokenest')(list, values)) }}
{%- endmacro %}
{% macro default__list_has_any(list, values) -%}
    exists (select 1 from unnest({{ list }}) as item where item in ({{ text_literals(values) }}))
{%- endmacro %}

{#- One row per item of a list, as the only such column of a select; an empty list gives no row. -#}
{% macro unnest_list(list) -%}
    {{ return(adapter.dispatch('unnest_list', 'tokenest')(list)) }}
{%- endmacro %}
{% macro default__unnest_list(list) -%}
    unnest({{ list }})
{%- endmacro %}

{#- A list of text as JSON. -#}
{% macro list_as_json(list) -%}
    {{ return(adapter.dispatch('list_as_json', 'tokenest')(list)) }}
{%- endmacro %}
{% macro default__list_as_json(list) -%}
    cast(to_json({{ list }}) as string)
{%- endmacro %}

{#-
    A relation with one row per item of a list column: item and item_no in the place of the list.
-#}
{% macro numbered_items(relation, list) -%}
    {{ return(adapter.dispatch('numbered_items', 'tokenest')(relation, list)) }}
{%- endmacro %}

{#- True for one well-formed JSON value. DuckDB lets a trailing comma pass; JSON does not. -#}
{% macro json_is_valid(text) -%}
    {{ return(adapter.dispatch('json_is_valid', 'tokenest')(text)) }}
{%- endmacro %}
{% macro default__json_is_valid(text) -%}
    ({{ text }} is json)
{%- endmacro %}

{#- How many members the object has, those of one name each for itself. -#}
{% macro json_key_count(text) -%}
    {{ return(adapter.dispatch('json_key_count', 'tokenest')(text)) }}
{%- endmacro %}

{#- Boolean: the object names a member twice. -#}
{% macro json_has_duplicate_keys(text) -%}
    {{ return(adapter.dispatch('json_has_duplicate_keys', 'tokenest')(text)) }}
{%- endmacro %}
{% macro default__json_has_duplicate_keys(text) -%}
    not ({{ text }} is json with unique keys)
{%- endmacro %}

{#-
    The members of a JSON object that a tree of paths (path_tree) leads to, in one parse, each as its
    own JSON text: 12, 12.7, "12" and true stay apart. Absent members and nulls are null. To be read
    with json_member().
-#}
{% macro json_record(text, tree) -%}
    {{ return(adapter.dispatch('json_record', 'tokenest')(text, tree)) }}
{%- endmacro %}
{% macro default__json_record(text, tree) -%}
    {{ text }}
{%- endmacro %}

{#- The member that a path leads to (macros/record/paths.sql), of a record read along a tree. -#}
{% macro json_member(record, path, tree) -%}
    {{ return(adapter.dispatch('json_member', 'tokenest')(record, path, tree)) }}
{%- endmacro %}
{% macro default__json_member(record, path, tree) -%}
    nullif(json_query({{ record }}, '$.{{ path }}'), 'null')
{%- endmacro %}

{#-
    The records that a line holds, where it holds several: a list of structs with `record` (JSON
    text) and, of each path from the line, `outer_1`, `outer_2`, .... `each` are the places of
    the lists that hold them ('resourceSpans[].scopeSpans[].spans[]'). A line with no such list is
    itself the record.
-#}
{% macro json_records(text, each, from_line) -%}
    {{ return(adapter.dispatch('json_records', 'tokenest')(text, each, from_line)) }}
{%- endmacro %}

{#- The line itself as the only item of such a list. -#}
{% macro record_of_line(text, from_line) -%}
    {{ return(adapter.dispatch('record_of_line', 'tokenest')(text, from_line)) }}
{%- endmacro %}

{#- True when the object has a member of each of the names. -#}
{% macro json_has_keys(text, names) -%}
    {{ return(adapter.dispatch('json_has_keys', 'tokenest')(text, names)) }}
{%- endmacro %}

{#- The text of the member of an object, usage.output for a member of a member; null without it. -#}
{% macro json_text_at(text, path) -%}
    {{ return(adapter.dispatch('json_text_at', 'tokenest')(text, path)) }}
{%- endmacro %}

{#- Boolean: an object has a value at one of the paths, usage.output for a member of a member. -#}
{% macro json_holds_one(text, paths) -%}
    {{ return(adapter.dispatch('json_holds_one', 'tokenest')(text, paths)) }}
{%- endmacro %}

{#-
    Boolean: one of the members of an object is an object, or the text of one, that has a value at one
    of the paths.
-#}
{% macro json_has_envelope(text, names, paths) -%}
    {{ return(adapter.dispatch('json_has_envelope', 'tokenest')(text, names, paths)) }}
{%- endmacro %}

{#- An object of texts as JSON text with its names in order. -#}
{% macro json_sorted(json) -%}
    {{ return(adapter.dispatch('json_sorted', 'tokenest')(json)) }}
{%- endmacro %}
{% macro default__json_sorted(json) -%}
    cast(to_json(parse_json({{ json }})) as string)
{%- endmacro %}

{#- "a\"b" as JSON text gives a"b. -#}
{% macro json_text(json) -%}
    {{ return(adapter.dispatch('json_text', 'tokenest')(json)) }}
{%- endmacro %}
{% macro default__json_text(json) -%}
    json_value({{ json }}, '$')
{%- endmacro %}

{#- ["a","b"] as JSON text gives a list of text. -#}
{% macro json_text_list(json) -%}
    {{ return(adapter.dispatch('json_text_list', 'tokenest')(json)) }}
{%- endmacro %}
{% macro default__json_text_list(json) -%}
    json_value_array({{ json }})
{%- endmacro %}

{#- Text as JSON text: a"b gives "a\"b"; null stays null. -#}
{% macro json_quoted(text) -%}
    {{ return(adapter.dispatch('json_quoted', 'tokenest')(text)) }}
{%- endmacro %}
{% macro default__json_quoted(text) -%}
    cast(to_json({{ text }}) as string)
{%- endmacro %}

{#- Aggregate: exact quantiles, interpolated between neighbours, as a list, in one pass. -#}
{% macro quantiles(value, probabilities) -%}
    {{ return(adapter.dispatch('quantiles', 'tokenest')(value, probabilities)) }}
{%- endmacro %}
{% macro default__quantiles(value, probabilities) -%}
    [
        {%- for probability in probabilities %}
        percentile_cont({{ probability }}) within group (order by {{ value }}){{ ',' if not loop.last }}
        {%- endfor %}
    ]
{%- endmacro %}

{#-
    The steps from events to `quantiles`, one row per group of `names`. A row of events stands for n
    equal ones. With `strata`, a relation of cell_key and `names`, events have a cell_key, and a cell
    lies in many groups. `wanted` are the quantiles: {column: (measure, probability)}.
-#}
{% macro stratum_quantiles(events, names, wanted, strata=none) -%}
    {{ return(adapter.dispatch('stratum_quantiles', 'tokenest')(events, names, wanted, strata)) }}
{%- endmacro %}
{% macro default__stratum_quantiles(events, names, wanted, strata=none) %}
{%- set measures = wanted.values() | map('first') | unique -%}
{%- set ranks = [] -%}
{%- for probability in wanted.values() | map('last') | unique -%}
    {%- do ranks.append(quantile_ranks(probability)) -%}
{%- endfor -%}
counted as {{ inlined() }} (
    {{ counted_values(events, ['cell_key'] if strata else names, measures) }}
),

{{ ranked_values(names, ranks, strata) }},

quantiles as (
    select
        {{ names | join(', ') }},
        {%- for column, (measure, probability) in wanted.items() %}
        {{ counted_quantile(probability, measure) }} as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from ranked
    group by {{ names | join(', ') }}
)
{%- endmacro %}

{#-
    Aggregate: the value of the row whose measure is largest, of equal ones the largest value.
    Rows without a value or a measure do not count.
-#}
{% macro value_of_largest(value, measure) -%}
    {{ return(adapter.dispatch('value_of_largest', 'tokenest')(value, measure)) }}
{%- endmacro %}
{% macro default__value_of_largest(value, measure) -%}
    {%- set values -%}
        array_agg({{ value }} order by {{ measure }} desc, {{ value }} desc)
            filter (where {{ value }} is not null and {{ measure }} is not null)
    {%- endset -%}
    {{ list_item(values, 1) }}
{%- endmacro %}

{#- Aggregate: sha256, in hexadecimal, of the lines in their order, each with its newline. -#}
{% macro sha256_of_lines(line, position) -%}
    {{ return(adapter.dispatch('sha256_of_lines', 'tokenest')(line, position)) }}
{%- endmacro %}
{% macro default__sha256_of_lines(line, position) -%}
    sha256(string_agg({{ line }} || chr(10), '' order by {{ position }}))
{%- endmacro %}

{#-
    After the `as` of a CTE: it is computed anew wherever it is read. DuckDB keeps as a whole, in
    memory, what is read again after a part of it was grouped or joined; reading a table again is
    cheaper. Most engines read again anyway.
-#}
{% macro inlined() -%}
    {{ return(adapter.dispatch('inlined', 'tokenest')()) }}
{%- endmacro %}

{% macro default__inlined() -%}
{%- endmacro %}

{#-
    Reads whole files as bytes and gives one row per line, numbered from 1: source_file, file_path,
    file_bytes, modified_at, first_line_md5, has_open_tail, line_no, is_last (of those that land
    now), is_tail (no newline ends it), is_utf8, is_prose (text between records) and line_text (with
    \x escapes when it is not UTF-8); landed_bytes and landed_md5, of the file up to its last line
    that lands. Lines that have landed, and a last line still being written (unless `final`), are
    left out.
-#}
{% macro telemetry_lines(files, documents=false) -%}
    {{ return(adapter.dispatch('telemetry_lines', 'tokenest')(files, documents)) }}
{%- endmacro %}

{#-
    Query: those rows of `candidates`, of candidate_steps(), whose file at file_path begins with
    what had landed of the content. Unless it is the file's own, its first line is compared before.
-#}
{% macro matched_contents(paths, candidates) -%}
    {{ return(adapter.dispatch('matched_contents', 'tokenest')(paths, candidates)) }}
{%- endmacro %}

{#-
    Statements before a landing into `relation`: torn tails that were completed are deleted, and where
    each of the files is and how it looks is noted on its last line, as is what no file holds any more
    (file_path is empty). An engine that cannot change a row leaves the notes out: a file that was
    touched, or renamed, and has no more lines is then opened again by each build, with the same end.
-#}
{% macro note_landed(relation, listing, files) -%}
    {{ return(adapter.dispatch('note_landed', 'tokenest')(relation, listing, files)) }}
{%- endmacro %}

{#- A statement that deletes rows of a landing; nothing where an engine did it in another way. -#}
{% macro delete_rows(relation, condition) -%}
    {{ return(adapter.dispatch('delete_rows', 'tokenest')(relation, condition)) }}
{%- endmacro %}

{#-
    The records that files begin with, to tell by them whose they are: source_file, line_no,
    line_text, is_object (a JSON object) and member_names (of named_members() plain ones), of the first
    max_line_bytes of each. Of a list the first item stands for it. Objects are looked for in the first
    head_lines().
-#}
{% macro file_heads(paths) -%}
    {{ return(adapter.dispatch('file_heads', 'tokenest')(paths)) }}
{%- endmacro %}

{#- What has to happen before telemetry.files can be read: nothing, where a source is a query. -#}
{% macro list_telemetry() %}
    {% if is_read() %}{{ return(adapter.dispatch('list_telemetry', 'tokenest')()) }}{% endif %}
{% endmacro %}

{#- What a glob of TOKENEST_TELEMETRY matches, with the column filename. -#}
{% macro matching_files(glob) -%}
    {{ return(adapter.dispatch('matching_files', 'tokenest')(glob)) }}
{%- endmacro %}

{#-
    Limits which files the rest of the run can touch: the folders of the telemetry and of the
    seeds, and the exports folder, which is made where it is missing. Neither setting can be taken
    back while the database is open. dbt-duckdb sets the time zone on every connection, so that
    the configuration as a whole cannot be locked. The connection of a host is its own.
-#}
{% macro limit_file_access() -%}
    {%- if not is_guest() -%}
        {{ return(adapter.dispatch('limit_file_access', 'tokenest')()) }}
    {%- endif -%}
{%- endmacro %}

{% macro default__limit_file_access() -%}
{%- endmacro %}

{#- Writes the lines of a query (line_position, line) to a file, which is replaced as a whole. -#}
{% macro write_lines(query, path) -%}
    {{ return(adapter.dispatch('write_lines', 'tokenest')(query, path)) }}
{%- endmacro %}
