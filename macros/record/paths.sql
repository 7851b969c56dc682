{#-
    Paths of field maps. From the record: usage.output_tokens, "a.b" for a name with dots,
    choices[0] for an item, attributes{key} for the value of a key in an OpenTelemetry list of
    attributes, and > where a text holds JSON: invocation>max_tokens. A path that begins with / starts
    at the line instead, of which the record may be one of many: /resourceSpans[].resource.name.
-#}

{#-
    The steps of a path: name, item, each (a list, item by item), key, and text (JSON in a text).
-#}
{% macro path_steps(path) %}
    {% set steps = [] %}
    {% for quoted, name, item, key, hop in modules.re.findall(
        '"([^"]+)"|([A-Za-z0-9_$-]+)|\\[([0-9]*)\\]|[{]([^}]+)[}]|(>)', path
    ) %}
        {% if quoted or name %}{% do steps.append({'kind': 'name', 'value': quoted or name}) %}
        {% elif key %}{% do steps.append({'kind': 'key', 'value': key}) %}
        {% elif hop %}{% do steps.append({'kind': 'text', 'value': ''}) %}
        {% else %}{% do steps.append({'kind': 'item' if item else 'each', 'value': item}) %}
        {% endif %}
    {% endfor %}
    {{ return(steps) }}
{% endmacro %}

{#-
    What has to be read of an object to follow the paths: a tree of names, whose leaves are JSON or,
    where a path goes on with a key, attributes; a list has its items below `[]`.
-#}
{% macro path_tree(paths) %}
    {% set tree = {} %}
    {% for path in paths %}{% do add_to_tree(tree, path_steps(path)) %}{% endfor %}
    {{ return(tree) }}
{% endmacro %}

{#- Adds the steps of one path to a tree, in place. -#}
{% macro add_to_tree(tree, steps) %}
    {% set name = steps[0]['value'] if steps[0]['kind'] == 'name' else '[]' %}
    {% set rest = steps[1:] %}
    {% if tree.get(name) is string %}
        {{ return(none) }}
    {% elif rest and rest[0]['kind'] in ('name', 'each') %}
        {% do add_to_tree(tree.setdefault(name, {}), rest) %}
    {% else %}
        {% do tree.update({name: 'attributes' if rest and rest[0]['kind'] == 'key' else 'JSON'}) %}
    {% endif %}
{% endmacro %}

{#- The paths of a source's fields: those from the record, or those from the line. -#}
{% macro field_paths(fields, from_line=false) %}
    {% set paths = [] %}
    {% for field in fields %}
        {% for place in field['places'] %}
            {% for path in place['path'].split(' + ')
                if path and path.startswith('/') == from_line %}
                {% do paths.append(path) %}
            {% endfor %}
        {% endfor %}
    {% endfor %}
    {{ return(paths | unique(case_sensitive=true) | list) }}
{% endmacro %}

{#-
    How a value is written that is no JSON value of its field's type: one macro a form, from JSON
    text to JSON text. What a form does not know stays as it is, for the verdict on its type.
-#}
{% macro formed(value, form) -%}
    {{ context['tokenest']['form_' ~ form](value) if form else value }}
{%- endmacro %}

{#- "880" for 880. -#}
{% macro form_digits(value) -%}
    replace({{ value }}, '"', '')
{%- endmacro %}

{#- A ceiling, or nothing where the value is none: -1, 0 and inf ask for as much as there is. -#}
{% macro form_ceiling(value) -%}
    nullif({{ regex_first(value, '^"?([1-9][0-9]{0,8})([.]0+)?"?$') }}, '')
{%- endmacro %}

{#- What stands before the slash of a model's name: anthropic for anthropic/claude-x. -#}
{% macro form_provider(value) -%}
    nullif('"' || {{ regex_first(value, '^"([a-z0-9_.-]+)/') }} || '"', '""')
{%- endmacro %}

{#- Hexadecimal ids are the same in either case. -#}
{% macro form_lower(value) -%}
    lower({{ value }})
{%- endmacro %}

{#- A number or a text as a text. -#}
{% macro form_text(value) -%}
    case
        when left({{ value }}, 1) in ('"', '{', '[') then {{ value }}
        else '"' || {{ value }} || '"'
    end
{%- endmacro %}

{#-
    What a text says, or a number as a text. A member that anybody may have for anything is read by it:
    what else stands there (an object, true, an empty text) is nothing.
-#}
{% macro form_name(value) -%}
    case
        when left(nullif({{ value }}, '""'), 1) = '"' then {{ value }}
        when {{ regex_test(value, '^-?[0-9]') }} then '"' || {{ value }} || '"'
    end
{%- endmacro %}

{#- A text that is more than a short number: that may be the number of a row, in many files. -#}
{% macro form_id(value) -%}
    case
        when {{ regex_test(value, '^"[0-9]{1,11}"$') }} then null
        when left({{ value }}, 1) = '"' then {{ value }}
    end
{%- endmacro %}

{#- A count that stands as 12, as 12.0 or as "12". -#}
{% macro form_count(value) -%}
    coalesce(nullif({{ regex_first(value, '^"?([0-9]{1,18})([.]0+)?"?$') }}, ''), {{ value }})
{%- endmacro %}

{#- The same; of what is no count nothing. -#}
{% macro form_count_if_one(value) -%}
    nullif({{ regex_first(value, '^"?([0-9]{1,18})([.]0+)?"?$') }}, '')
{%- endmacro %}

{#-
    A time as programs write it: seconds, milliseconds, microseconds or nanoseconds since 1970, by how
    many digits they have, or a text: with a comma before the fraction, an offset without its colon or
    its minutes, the word UTC, or a day alone; also as MongoDB exports it. Another number is no time (how
    long a call took), and nothing.
-#}
{% macro form_moment(value) -%}
    {%- set clock, of_mongodb = '[T ][0-9:]{8}([.][0-9]+)?', '^[{]".date":("[^"]*")[}]$' -%}
    case
        when {{ regex_test(value, '^"?[0-9]{9,10}([.][0-9]+)?"?$') }} then {{ form_seconds(value) }}
        when {{ regex_test(value, '^"?[0-9]{12,13}([.][0-9]+)?"?$') }} then {{ form_milliseconds(value) }}
        when {{ regex_test(value, '^"?[0-9]{15,16}"?$') }} then {{ epoch_as_time(value, 'bigint', '* 1') }}
        when {{ regex_test(value, '^"?[0-9]{18,19}"?$') }} then {{ form_nanoseconds(value) }}
        when {{ regex_test(value, of_mongodb) }} then {{ regex_first(value, of_mongodb) }}
        when left({{ value }}, 1) <> '"' or {{ value }} = '""' then null
        when {{ regex_test(value, '^"[0-9-]{10}"$') }} then left({{ value }}, 11) || 'T00:00:00Z"'
        when {{ regex_test(value, '[T ][0-9:]{8},[0-9]+"$') }} then replace({{ value }}, ',', '.')
        when {{ regex_test(value, clock ~ ' ?([+]0000 )?UTC"$') }}
            then {{ regex_replace_all(value, ' ?([+]0000 )?UTC"$', 'Z"') }}
        when {{ regex_test(value, clock ~ '[+-][0-9]{4}"$') }}
            then left({{ value }}, length({{ value }}) - 3) || ':' || right({{ value }}, 3)
        when {{ regex_test(value, clock ~ '[+-][0-9]{2}"$') }}
            then left({{ value }}, length({{ value }}) - 1) || ':00"'
        else {{ value }}
    end
{%- endmacro %}

{#- true where a word says that an answer came from a cache; else nothing. -#}
{% macro form_from_cache(value) -%}
    case when lower({{ value }}) in ('true', '"true"', '1', '"hit"', '"cached"') then 'true' end
{%- endmacro %}

{#- true where a flag says no; else nothing. -#}
{% macro form_when_false(value) -%}
    case when lower({{ value }}) in ('false', '"false"', '0') then 'true' end
{%- endmacro %}

{#- What kind of object an API says that it gave, of those that are told apart; else nothing. -#}
{% macro form_answer_kind(value) -%}
    case
        when {{ value }} in (
            '"response"', '"message"', '"chat.completion.chunk"', '"text_completion.chunk"', '"message_start"',
            '"message_delta"'
        )
            then {{ value }}
    end
{%- endmacro %}

{#- The status of a response of OpenAI; of another status, as programs have them, nothing. -#}
{% macro form_response_status(value) -%}
    case when {{ value }} in ('"completed"', '"incomplete"', '"failed"', '"cancelled"') then {{ value }} end
{%- endmacro %}

{#- Seconds, milliseconds and nanoseconds since 1970, as a number or a text of it. -#}
{% macro form_seconds(value) -%}
    {{ epoch_as_time(value, 'decimal(20, 6)', '* 1000000') }}
{%- endmacro %}

{#- Milliseconds since 1970 as a time. -#}
{% macro form_milliseconds(value) -%}
    {{ epoch_as_time(value, 'decimal(20, 3)', '* 1000') }}
{%- endmacro %}

{#- Nanoseconds since 1970 as a time. -#}
{% macro form_nanoseconds(value) -%}
    {{ epoch_as_time(form_not_zero(value), 'decimal(20, 0)', '* 0.001') }}
{%- endmacro %}

{#- The value; 0, which stands for none where a format writes every member, is nothing. -#}
{% macro form_not_zero(value) -%}
    nullif(nullif({{ value }}, '0'), '"0"')
{%- endmacro %}

{#- A number of units since 1970 as the JSON text of a time. -#}
{% macro epoch_as_time(value, type, to_micros) -%}
    {%- set micros = "try_cast(replace(" ~ value ~ ", '\"', '') as " ~ type ~ ") " ~ to_micros -%}
    case
        when {{ micros }} between 946684800000000 and 4102444799999999
            then '"' || {{ time_of_micros('cast(floor(' ~ micros ~ ') as bigint)') }} || '"'
        else {{ value }}
    end
{%- endmacro %}

{#- A tag that whoever asked has given; the gateway adds one of its own, who was asking. -#}
{% macro form_request_tag(value) -%}
    case when left({{ value }}, 12) <> '"User-Agent:' then {{ value }} end
{%- endmacro %}

{#- Of the words for how a call ended, true for a success and false for a failure. -#}
{% macro form_success_word(value) -%}
    case lower({{ value }})
        when '"success"' then 'true'
        when '"ok"' then 'true'
        when '"failure"' then 'false'
        when '"error"' then 'false'
        when '"failed"' then 'false'
    end
{%- endmacro %}

{#- A name with a dot in it, as programs give to events; of another text nothing. -#}
{% macro form_event_name(value) -%}
    case when {{ regex_test(value, '^"[a-z_-]+([.][a-z_]+)+"$') }} then {{ value }} end
{%- endmacro %}

{#- The one member that an object has, which holds a plain object; of several nothing. -#}
{% macro form_only_key(value) -%}
    nullif('"' || {{ regex_first(value, '^[{] *"([^"]+)" *: *[{][^{}]*[}] *[}]') }} || '"', '""')
{%- endmacro %}

{#-
    Of the stop words of several choices the one that says cut off, else the first. Some libraries
    write the list as a text, "[\"length\"]" or "stop,length".
-#}
{% macro form_stop_words(value) -%}
    case
        when not {{ regex_test(value, '[[]|,') }} then {{ value }}
        when {{ regex_test("replace(lower(" ~ value ~ "), '-', '_')", '[^a-z_](' ~ truncated_words() ~ ')[^a-z_]') }}
            then '"length"'
        else nullif('"' || {{ regex_first(value, '^(?:"|[[]| |\\\\)*([A-Za-z0-9_.: /-]*)') }} || '"', '""')
    end
{%- endmacro %}

{#- Gemini's stop word, which its older clients write as the number that it has in the API. -#}
{% macro form_gemini_stop(value) -%}
    case
        when {{ value }} = '0' then null
        when {{ value }} = '1' then '"STOP"'
        when {{ value }} = '2' then '"MAX_TOKENS"'
        when {{ value }} in ('3', '4', '5', '6', '7', '8', '9', '10', '11') then '"OTHER"'
        else {{ value }}
    end
{%- endmacro %}

{#- The stop word of llama.cpp and of Titan, in the words that others have for it. -#}
{% macro form_server_stop(value) -%}
    case {{ value }}
        when '"limit"' then '"length"'
        when '"word"' then '"stop_sequence"'
        when '"FINISH"' then '"stop"'
        else {{ form_name(value) }}
    end
{%- endmacro %}

{#- JSON numbers of several members as the text of their sum; absent ones count nothing. -#}
{% macro json_sum(members) -%}
    case
        when coalesce({{ members | join(', ') }}) is null then cast(null as string)
        {%- for member in members %}
        when not {{ regex_test(member, '^[0-9]{1,18}$') }} then {{ member }}
        {%- endfor %}
        else cast(
            {%- for member in members %}
            coalesce(try_cast({{ member }} as bigint), 0){{ ' +' if not loop.last }}
            {%- endfor %}
            as string
        )
    end
{%- endmacro %}
