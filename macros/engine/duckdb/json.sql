{% macro duckdb__json_is_valid(text) -%}
    (json_valid({{ text }}) and not suffix({{ text }}, ',}') and not suffix({{ text }}, ', }'))
{%- endmacro %}

{% macro duckdb__json_key_count(text) -%}
    len(json_keys({{ text }}))
{%- endmacro %}

{% macro duckdb__json_has_duplicate_keys(text) -%}
    (len(json_keys({{ text }})) <> list_unique(json_keys({{ text }})))
{%- endmacro %}

{% macro duckdb__json_record(text, tree) -%}
    from_json({{ text }}, '{{ duckdb__json_structure(tree) }}')
{%- endmacro %}

{#- The structure that from_json() reads for a tree of paths. -#}
{% macro duckdb__json_structure(tree) -%}
    {%- if tree == 'JSON' -%}
        "JSON"
    {%- elif tree == 'attributes' -%}
        [{"key":"VARCHAR","value":{"stringValue":"JSON","intValue":"JSON","doubleValue":"JSON","boolValue":"JSON",
        {#- #}"arrayValue":{"values":[{"stringValue":"JSON"}]}}}]
    {%- elif '[]' in tree -%}
        [{{ duckdb__json_structure(tree['[]']) }}]
    {%- else -%}
        {
        {%- for name, below in tree.items() -%}
            "{{ name }}":{{ duckdb__json_structure(below) }}{{ ',' if not loop.last }}
        {%- endfor -%}
        }
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__json_member(record, path, tree) -%}
    {{ duckdb__member_along(record, path_steps(path), tree) }}
{%- endmacro %}

{#- Along the tree by names; what is left of the path is looked up in the JSON there. -#}
{% macro duckdb__member_along(record, steps, tree) -%}
    {%- if steps and tree is mapping and steps[0]['value'] in tree -%}
        {{ duckdb__member_along(
            'struct_extract(' ~ record ~ ", '" ~ steps[0]['value'] ~ "')", steps[1:], tree[steps[0]['value']]
        ) }}
    {%- elif tree == 'attributes' -%}
        {{ duckdb__json_rest(duckdb__attribute(record, steps[0]['value']), steps[1:]) }}
    {%- elif steps -%}
        nullif({{ duckdb__json_rest(record, steps) }}, 'null')
    {%- else -%}
        cast({{ record }} as varchar)
    {%- endif -%}
{%- endmacro %}

{#- What the steps that no tree covers lead to, as JSON text. -#}
{% macro duckdb__json_rest(value, steps) -%}
    {%- set way = namespace(value=value, path='') -%}
    {%- for step in steps -%}
        {%- if step['kind'] == 'text' -%}
            {%- set text = way.value if not way.path else 'json_extract(' ~ way.value ~ ", '$" ~ way.path ~ "')" -%}
            {%- set way.value = duckdb__json_in_text('cast(' ~ text ~ ' as varchar)') -%}
            {%- set way.path = '' -%}
        {%- elif step['kind'] == 'item' -%}
            {%- set way.path = way.path ~ '[' ~ step['value'] ~ ']' -%}
        {%- else -%}
            {%- set way.path = way.path ~ '."' ~ step['value'] ~ '"' -%}
        {%- endif -%}
    {%- endfor -%}
    cast({{ way.value if not way.path else 'json_extract(' ~ way.value ~ ", '$" ~ way.path ~ "')" }} as varchar)
{%- endmacro %}

{#- The JSON that a text holds; a value that is no text stays as it is. -#}
{% macro duckdb__json_in_text(value) -%}
    case
        when left({{ value }}, 1) <> '"' then {{ value }}
        when json_valid(json_extract_string({{ value }}, '$')) then json_extract_string({{ value }}, '$')
    end
{%- endmacro %}

{#- The first value of a key; a whole number stands as a text or as a number. -#}
{% macro duckdb__attribute(attributes, key) -%}
    list_transform(
        list_filter({{ attributes }}, lambda pair: pair.key = '{{ key }}')[:1],
        lambda pair: coalesce(
            cast(pair.value.stringValue as varchar),
            replace(cast(pair.value.intValue as varchar), '"', ''),
            cast(pair.value.doubleValue as varchar),
            cast(pair.value.boolValue as varchar),
            '[' || array_to_string(
                list_transform(
                    pair.value.arrayValue.values, lambda word: cast(word.stringValue as varchar)
                ),
                ','
            ) || ']'
        )
    )[1]
{%- endmacro %}

{% macro duckdb__json_records(text, each, from_line) -%}
    case
        {%- for place in each %}
        when len({{ duckdb__records_at(text, place, from_line) }}) > 0
            then {{ duckdb__records_at(text, place, from_line) }}
        {%- endfor %}
        else {{ duckdb__record_of_line(text, from_line) }}
    end
{%- endmacro %}

{% macro duckdb__record_of_line(text, from_line) -%}
    [{'record': {{ text }}
    {%- for path in from_line -%}
        , 'outer_{{ loop.index }}': cast(null as varchar)
    {%- endfor -%}
    }]
{%- endmacro %}

{#- The records of a line at one place, as json_records() gives them. -#}
{% macro duckdb__records_at(text, place, from_line) -%}
    {%- set paths = [place] -%}
    {%- for path in from_line if '[]' not in path or path[1:].startswith(place.split('[]')[0]) -%}
        {%- do paths.append(path[1:]) -%}
    {%- endfor -%}
    {%- set tree = path_tree(paths) -%}
    {%- set line = 'from_json(' ~ text ~ ", '" ~ duckdb__json_structure(tree) ~ "')" -%}
    {{ duckdb__items(line, path_steps(place), tree, [], '', from_line) }}
{%- endmacro %}

{#-
    The items below a value, level by level. `outer` are the levels above, each with its path, its
    variable and its part of the tree.
-#}
{% macro duckdb__items(value, steps, tree, outer, path, from_line) -%}
    {%- set way = namespace(value=value, tree=tree, path=path, at=0) -%}
    {%- set above = outer + [{'path': path, 'value': value, 'tree': tree}] -%}
    {%- for step in steps if way.tree is mapping and '[]' not in way.tree -%}
        {%- set way.value = 'struct_extract(' ~ way.value ~ ", '" ~ step['value'] ~ "')" -%}
        {%- set dot = '.' if way.path and not way.path.endswith('.') else '' -%}
        {%- set way.path = way.path ~ dot ~ step['value'] -%}
        {%- set way.tree = way.tree[step['value']] -%}
        {%- set way.at = way.at + 1 -%}
    {%- endfor -%}
    {%- set item = 'item_' ~ outer | length -%}
    {%- set rest = steps[way.at + 1:] -%}
    {%- if rest -%}
        flatten(list_transform({{ way.value }}, lambda {{ item }}: {{ duckdb__items(
            item, rest, way.tree['[]'], above, way.path ~ '[]', from_line
        ) }}))
    {%- else -%}
        list_transform({{ way.value }}, lambda {{ item }}: {'record': cast({{ item }} as varchar)
        {%- for wanted in from_line %},
        'outer_{{ loop.index }}': {{ duckdb__outer_member(wanted[1:], above) }}
        {%- endfor -%}
        })
    {%- endif -%}
{%- endmacro %}

{#- A path from the line, looked up in the innermost level that it goes through. -#}
{% macro duckdb__outer_member(path, levels) -%}
    {%- set found = namespace(level=none) -%}
    {%- for level in levels
        if path.startswith(level['path']) and '[]' not in path[level['path'] | length:] -%}
        {%- set found.level = level -%}
    {%- endfor -%}
    {%- if found.level is none -%}
        cast(null as varchar)
    {%- else -%}
        {%- set steps = path_steps(path[found.level['path'] | length:]) -%}
        {{ duckdb__member_along(found.level['value'], steps, found.level['tree'])
            if steps[0]['value'] in found.level['tree'] else 'cast(null as varchar)' }}
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__json_has_keys(text, names) -%}
    list_has_all(json_keys({{ text }}), [{{ text_literals(names) }}])
{%- endmacro %}

{% macro duckdb__json_text_at(text, path) -%}
    json_extract_string({{ text }}, '$.{{ path }}')
{%- endmacro %}

{#- Paths within JSON, as a list of those of DuckDB. -#}
{% macro duckdb__json_places(paths) -%}
    {%- set places = [] -%}
    {%- for path in paths -%}{%- do places.append('$.' ~ path) -%}{%- endfor -%}
    [{{ text_literals(places) }}]
{%- endmacro %}

{% macro duckdb__json_holds_one(text, paths) -%}
    (list_any_value(json_extract_string({{ text }}, {{ duckdb__json_places(paths) }})) is not null)
{%- endmacro %}

{#- A list of members, and not a condition for each: a build of few lines pays for its text. -#}
{% macro duckdb__json_has_envelope(text, names, paths) -%}
    (len(list_filter(
        json_extract_string({{ text }}, {{ duckdb__json_places(names) }}),
        lambda member: case
            when left(member, 1) <> '{' then false
            when not {{ json_is_valid('member') }} then false
            else {{ json_holds_one('member', paths) }}
        end
    )) > 0)
{%- endmacro %}

{% macro duckdb__json_sorted(json) -%}
    '{' || array_to_string(
        list_transform(
            list_sort(json_keys({{ json }})),
            lambda name: '"' || name || '":' || cast(json_extract({{ json }}, '$.' || name) as varchar)
        ),
        ','
    ) || '}'
{%- endmacro %}

{% macro duckdb__json_text(json) -%}
    json_extract_string({{ json }}, '$')
{%- endmacro %}

{% macro duckdb__json_text_list(json) -%}
    from_json({{ json }}, '["VARCHAR"]')
{%- endmacro %}

{% macro duckdb__form_visible_characters(content) -%}
    case
        when left({{ content }}, 1) = '['
            then cast(list_sum(list_transform(
                from_json({{ content }}, '[{"text":"VARCHAR","thinking":"VARCHAR","input":"JSON"}]'),
                lambda block: coalesce(length(block.text), 0) + coalesce(length(block.thinking), 0)
                    + coalesce(length(cast(block.input as varchar)), 0)
            )) as varchar)
    end
{%- endmacro %}
