-- What each macro in macros/engine/ gives, against what it has to give on every engine. The build
-- runs on an engine that passes.
{% set list = json_text_list("'[\"b\", \"a, c\"]'") %}
{% set object = "'{\"a\": 12.0, \"b\": \"x\", \"c\": null}'" %}

with

ranked as (
    select
        1 as line_no,
        cast(4 as double) as measure,
        'b' as word
    union all
    select
        2 as line_no,
        cast(4 as double) as measure,
        'c' as word
    union all
    select
        3 as line_no,
        cast(1 as double) as measure,
        'd' as word
    union all
    select
        4 as line_no,
        cast(9 as double) as measure,
        cast(null as string) as word
),

aggregated as (
    select
        {{ joined_text('word') }} as joined_words,
        {{ value_of_largest('word', 'measure') }} as largest_word,
        {{ list_item(quantiles('measure', [0.5, 0.75]), 2) }} as upper_quartile,
        {{ sha256_of_lines("coalesce(word, 'é')", 'line_no') }} as lines_sha256
    from ranked
),

unnested as (
    select {{ unnest_list(list) }} as item
),

records as (
    select {{ json_record(object, path_tree(['a', 'b', 'c', 'd'])) }} as record
),

cases as (
    select
        'text_literals' as macro_name,
        {{ text_literals(["it's \\n"]) }} as found,
        'it' || chr(39) || 's ' || chr(92) || 'n' as expected
    union all
    select
        'regex_test' as macro_name,
        cast({{ regex_test("'a' || chr(10)", '^[a-z]$') }} as string) as found,
        'false' as expected
    union all
    select
        'regex_test_by' as macro_name,
        cast({{ regex_test_by("'too many tokens'", "'many (input )?tokens|limit'") }} as string)
            as found,
        'true' as expected
    union all
    select
        'regex_test of a bracket' as macro_name,
        cast({{ regex_test("'[]'", '^[[][]]$') }} as string) as found,
        'true' as expected
    union all
    select
        'regex_first' as macro_name,
        {{ regex_first("'src/a.py'", '([^/]*)$') }} as found,
        'a.py' as expected
    union all
    select
        'regex_first without a match' as macro_name,
        {{ regex_first("'src'", '^([0-9]+)') }} as found,
        '' as expected
    union all
    select
        'regex_replace_all' as macro_name,
        {{ regex_replace_all("'a.b.c'", '[.]', '-') }} as found,
        'a-b-c' as expected
    union all
    select
        'regex_first_by' as macro_name,
        {{ regex_first_by("'a-b'", "'^([a-z])-'") }} as found,
        'a' as expected
    union all
    select
        'number_of_text' as macro_name,
        {{ plain_number(number_of_text("'1.50'")) }} as found,
        '1.5' as expected
    union all
    select
        'number_of_text of none' as macro_name,
        cast({{ number_of_text("'assumed'") }} as string) as found,
        cast(null as string) as expected
    union all
    select
        'log2_of a power' as macro_name,
        cast(cast(floor({{ log2_of('8') }}) as bigint) as string) as found,
        '3' as expected
    union all
    select
        'rounded' as macro_name,
        {{ plain_number(rounded('cast(-2.5 as double)')) }} as found,
        '-3' as expected
    union all
    select
        'rounded to decimals' as macro_name,
        {{ plain_number(rounded('cast(1.126 as double)', 2)) }} as found,
        '1.13' as expected
    union all
    select
        'json_sorted' as macro_name,
        {{ json_sorted("'{\"b\": \"\u00fc\", \"a\": \"1\"}'") }} as found,
        '{"a":"1","b":"ü"}' as expected
    union all
    select
        'json_is_valid of texts' as macro_name,
        cast({{ json_is_valid("'{\"a\": \"x\"}'") }} as string) as found,
        'true' as expected
    union all
    select
        'json_is_valid of a list of texts' as macro_name,
        cast({{ json_is_valid("'[\"x\", \"y\"]'") }} as string) as found,
        'true' as expected
    union all
    select
        'byte_length' as macro_name,
        cast({{ byte_length("'é€'") }} as string) as found,
        '5' as expected
    union all
    select
        'text_starts_with' as macro_name,
        cast({{ text_starts_with("'ab'", "'a'") }} as string) as found,
        'true' as expected
    union all
    select
        'text_ends_with' as macro_name,
        cast({{ text_ends_with("'ab'", "'a'") }} as string) as found,
        'false' as expected
    union all
    {% if lands_files() %}
        select
            'utc_timestamp with an offset' as macro_name,
            cast({{ utc_timestamp("'2026-01-02T05:04:05.5+02:00'") }} as string) as found,
            '2026-01-02 03:04:05.5' as expected
        union all
        select
            'utc_timestamp without' as macro_name,
            cast({{ utc_timestamp("'2026-01-02T03:04:05'") }} as string) as found,
            '2026-01-02 03:04:05' as expected
        union all
        select
            'utc_timestamp of no time' as macro_name,
            cast({{ utc_timestamp("'2026-02-30T00:00:00Z'") }} as string) as found,
            cast(null as string) as expected
        union all
        select
            'json_is_valid' as macro_name,
            cast({{ json_is_valid("'{\"a\": [1, {\"b\": null}]}'") }} as string) as found,
            'true' as expected
        union all
        select
            'json_is_valid of two values' as macro_name,
            cast({{ json_is_valid("'{} {}'") }} as string) as found,
            'false' as expected
        union all
        select
            'json_is_valid of half a pair' as macro_name,
            cast({{ json_is_valid("'[\"' || chr(92) || 'ud800\"]'") }} as string) as found,
            'false' as expected
        union all
        select
            'json_key_count' as macro_name,
            cast({{ json_key_count("'{\"a\": 1, \"a\": {\"b\": 2}}'") }} as string) as found,
            '2' as expected
        union all
    {% endif %}
    select
        'list_size' as macro_name,
        cast({{ list_size(list) }} as string) as found,
        '2' as expected
    union all
    select
        'list_item' as macro_name,
        {{ list_item(list, 2) }} as found,
        'a, c' as expected
    union all
    select
        'list_has_any' as macro_name,
        cast({{ list_has_any(list, ['x', 'b']) }} as string) as found,
        'true' as expected
    union all
    select
        'list_as_json' as macro_name,
        {{ list_as_json(list) }} as found,
        '["b","a, c"]' as expected
    union all
    select
        'unnest_list' as macro_name,
        max(item) || cast(count(*) as string) as found,
        'b2' as expected
    from unnested
    union all
    select
        'joined_text' as macro_name,
        joined_words as found,
        'b, c, d' as expected
    from aggregated
    union all
    select
        'value_of_largest' as macro_name,
        largest_word as found,
        'c' as expected
    from aggregated
    union all
    select
        'quantiles' as macro_name,
        cast(cast(upper_quartile as decimal(9, 2)) as string) as found,
        '5.25' as expected
    from aggregated
    union all
    select
        'sha256_of_lines' as macro_name,
        lines_sha256 as found,
        '701b663c578aba1a151afcc07a3ceca0cc98046e4d587df8534e601681819097' as expected
    from aggregated
    union all
    select
        'json_quoted' as macro_name,
        {{ json_quoted("'é\"' || chr(92) || chr(10)") }} as found,
        '"é' || chr(92) || '"' || chr(92) || chr(92) || chr(92) || 'n"' as expected
    union all
    select
        'json_is_valid of a trailing comma' as macro_name,
        cast({{ json_is_valid("'{\"a\": 1,}'") }} as string) as found,
        'false' as expected
    union all
    select
        'json_has_duplicate_keys' as macro_name,
        cast({{ json_has_duplicate_keys("'{\"a\": 1, \"a\": {\"b\": 2}}'") }} as string) as found,
        'true' as expected
    union all
    select
        'json_member' as macro_name,
        concat_ws(
            ' ',
            {{ json_member('record', 'a', path_tree(['a', 'b', 'c', 'd'])) }},
            {{ json_member('record', 'b', path_tree(['a', 'b', 'c', 'd'])) }},
            {{ json_member('record', 'c', path_tree(['a', 'b', 'c', 'd'])) }},
            {{ json_member('record', 'd', path_tree(['a', 'b', 'c', 'd'])) }}
        ) as found,
        '12.0 "x"' as expected
    from records
    union all
    select
        'json_text' as macro_name,
        {{ json_text("'\"a' || chr(92) || '\"b\"'") }} as found,
        'a"b' as expected
    union all
    select
        'plain_number' as macro_name,
        {{ plain_number('cast(0.050 as double)') }} as found,
        '0.05' as expected
)

select
    macro_name,
    found,
    expected
from cases
where found is distinct from expected
