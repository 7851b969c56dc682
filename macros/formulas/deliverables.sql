{#-
    How the replay reads a deliverable, as tokenest_py/runtime/deliverables.py does:
    tests/models/test_replay.py holds the two equal. Patterns use what Python, RE2 and Java share,
    and no backslash, which engines read differently.
-#}

{#- Text without the white space, in Unicode's sense, at its ends. -#}
{% macro stripped(text) -%}
    {%- set white_space =
        '\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006'
        ~ '\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000' -%}
    {{ trimmed(text, white_space) }}
{%- endmacro %}

{#- The characters of a deliverable that are read, on one line and with forward slashes. -#}
{% macro deliverable_phrase(text) -%}
    translate(left({{ text }}, 1024), chr(92) || chr(9) || chr(13) || chr(10), '/   ')
{%- endmacro %}

{#- A path without quotes, end punctuation and a leading ./ -#}
{% macro clean_path(path) -%}
    {%- set bare = trimmed(path, '"\'`,; ') -%}
    case when left({{ bare }}, 2) = './' then substring({{ bare }}, 3) else {{ bare }} end
{%- endmacro %}

{#- A to Z lowered, every other character kept. -#}
{% macro ascii_lower(text) -%}
    translate({{ text }}, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')
{%- endmacro %}

{#- Lower-case words with one blank around each. -#}
{% macro spaced_words(text) -%}
    ' ' || {{ trimmed(regex_replace_all(ascii_lower(text), '[^a-z0-9]+', ' '), ' ') }} || ' '
{%- endmacro %}

{#- Text: what follows the last slash of a path. -#}
{% macro base_name(path) -%}
    {{ regex_first(path, '([^/]*)$') }}
{%- endmacro %}

{#- Where a path stands in a phrase; each pattern has one group. -#}
{% macro path_pattern(name) -%}
    {%- set extension = '[.][A-Za-z][A-Za-z0-9]*' -%}
    {{ return({
        'quoted': '["`]([^"`]*[./][^"`]*)["`]',
        'spaced': '^(?:[^ /]+ +)*([^ ]*/[^.]* [^.]*' ~ extension ~ ')$',
        'joined': ' (and|at|by|for|from|in|into|of|or|to|using|with) ',
        'slash_extension': '(?:^| )([^ ]*/[^ ]*' ~ extension ~ ')[,;:.]?(?: |$)',
        'name_extension': '(?:^| )([^ ][^ ]+' ~ extension ~ '|[^ ][.][A-Za-z][A-Za-z0-9]+)[,;:.]?(?: |$)',
        'slash': '(?:^| )([^ ]*/[^ ]*)(?: |$)',
        'note': ' +[(][^()]*[)]$',
    }[name]) }}
{%- endmacro %}

{#-
    Action words stand between these marks and no others: an opening mark or a blank before, a
    closing mark or a blank after. An opening becomes chr(1), a closing chr(2), a blank both.
-#}
{% macro marked_words(text) -%}
    chr(1) || replace(
        translate(
            {{ ascii_lower(text) }},
            chr(1) || chr(2) || '([)]:,;',
            '??' || chr(1) || chr(1) || chr(2) || chr(2) || chr(2) || chr(2) || chr(2)
        ),
        ' ',
        chr(2) || chr(1)
    ) || chr(2)
{%- endmacro %}

{#- Whether a rule of seed deliverable_classes holds for a path. -#}
{% macro class_rule_holds(method, label, path, lower_path, base_name, category) -%}
    case {{ method }}
        when 'prefix' then left({{ lower_path }}, length({{ label }})) = {{ label }}
        when 'suffix' then right({{ lower_path }}, length({{ label }})) = {{ label }}
        when 'contains' then position({{ label }} in {{ lower_path }}) > 0
        when 'basename_prefix' then left({{ base_name }}, length({{ label }})) = {{ label }}
        when 'basename' then {{ base_name }} = {{ label }}
        when 'suffix_cased' then right({{ path }}, length({{ label }})) = {{ label }}
        when 'category' then {{ category }} = {{ label }}
        else {{ method }} = 'any'
    end
{%- endmacro %}

{#- Whether the recorder kept a hash (path privacy) instead of the path. -#}
{% macro is_hidden_path(path) -%}
    {{ regex_test(path, '^[0-9a-f]{16}([.][A-Za-z0-9]{1,10})?$') }}
{%- endmacro %}
