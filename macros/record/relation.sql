{#-
    Events that stand in a relation of a host's warehouse: what its var tokenest__events names.
    A row is a call, in the columns of the event record (docs/event_record.md).
-#}

{#- Boolean: a relation of events is named. -#}
{% macro has_events() %}
    {{ return(is_guest() and builtins.var.has_var('tokenest__events')) }}
{% endmacro %}

{#- The relation by its name: with --empty and --sample dbt puts a query of it in its place. -#}
{% macro relation_name(relation) %}
    {{ return((relation | string).split('(select * from ')[-1].split(' where ')[0]) }}
{% endmacro %}

{#-
    The columns that a relation of events may have: those of the record, and the labels by name. A label may
    be a column of the record, as `provider` is.
-#}
{% macro relation_fields() %}
    {% set fields = [{'name': 'event_id', 'type': 'text'}] + event_fields() %}
    {% for name in further_labels() if name not in fields | map(attribute='name') | list %}
        {% do fields.append({'name': name, 'type': 'text'}) %}
    {% endfor %}
    {{ return(fields) }}
{% endmacro %}

{#- The columns of base_relation__calls with their types. -#}
{% macro call_types() %}
    {% set types = {'event_id': 'text', 'has_event_id': 'flag'} %}
    {% for field in event_fields() %}
        {% do types.update({field['name']: field['type']}) %}
    {% endfor %}
    {% do types.update(source_file='text', line_no='whole', landing_no='whole', left_out='text') %}
    {{ return(types) }}
{% endmacro %}

{#-
    The columns that the relation has of these, by name, each with its SQL as a value of its type; of a
    list in JSON, `<name>_text` is its text. Stops the run, in words, where one that is required is
    missing or one is of another type.
-#}
{% macro relation_values(relation) %}
    {% set known = relation_name(relation) %}
    {% if known in ['', 'None'] or '__dbt__cte__' in known %}
        {% do exceptions.raise_compiler_error(
            'the var tokenest__events names ' ~ ('no relation' if '__' not in known else 'an ephemeral model')
            ~ "; it has to name a table or a view, such as {{ ref('llm_calls') }} (docs/package.md)"
        ) %}
    {% endif %}
    {% set columns, values, wrong = relation_columns(relation), {}, [] %}
    {% for field in relation_fields() %}
        {% set name, column = field['name'], columns.get(field['name']) %}
        {% if column %}
            {% if not has_type(column, field['type']) %}
                {% do wrong.append(
                    name ~ ' is ' ~ ('text' if column['is_text'] else column['type']) ~ ' and has to be ' ~ {
                        'whole': 'a whole number', 'number': 'a number', 'flag': 'true or false',
                        'time': 'a timestamp', 'text_list': 'a list of texts', 'labels': 'an object of texts, as JSON',
                    }.get(field['type'], 'a text')
                ) %}
            {% endif %}
            {% do values.update({name: relation_value(column, field['type'])}) %}
            {% if field['type'] == 'text_list' and not is_list(column) %}
                {% do values.update({name ~ '_text': json_of_column(column)}) %}
            {% endif %}
        {% elif name in ['occurred_at', 'actual_output_tokens'] %}
            {% do wrong.append(
                'it has no column ' ~ name ~ (', when a call ended' if name == 'occurred_at'
                else ', all tokens of the answer that count against the ceiling')
            ) %}
        {% endif %}
    {% endfor %}
    {% if wrong %}
        {% do exceptions.raise_compiler_error(
            'the relation of events ' ~ known ~ ' cannot be read: ' ~ wrong | join('; ')
            ~ '. It has ' ~ columns | join(', ') ~ '; docs/event_record.md has the columns of an event'
        ) %}
    {% endif %}
    {% do name_unread_labels(known, columns) %}
    {{ return(values) }}
{% endmacro %}

{#- Warns of each label that no column says, and of a column of one beside a column `labels`. -#}
{% macro name_unread_labels(known, columns) %}
    {% for name in further_labels() if (name in columns) == ('labels' in columns) %}
        {% do exceptions.warn(
            'tokenest does not read the column ' ~ name ~ ' of ' ~ known ~ ': its column labels is read for all labels'
            if name in columns else
            'tokenest__labels has ' ~ name ~ ', and ' ~ known ~ ' has neither that column nor a column labels, so that'
            ~ ' no call has this label. It has ' ~ columns | join(', ')
        ) %}
    {% endfor %}
{% endmacro %}

{#- Whether a column of the relation (relation_columns) can be read as a value of the type. -#}
{% macro has_type(column, type) %}
    {% set kind = column['type'] %}
    {% if is_list(column) %}
        {{ return(type == 'text_list' and (kind == 'array' or modules.re.search('char|text|string', kind) is not none)) }}
    {% elif kind.startswith(('struct', 'map')) %}
        {{ return(false) }}
    {% elif is_json(column) %}
        {{ return(type not in ['time', 'whole', 'number', 'flag']) }}
    {% elif type == 'time' %}
        {{ return(kind.startswith(('timestamp', 'date'))) }}
    {% elif type in ['whole', 'number', 'flag'] and (column['is_text'] or kind.startswith(('time', 'date', 'interval', 'uuid'))) %}
        {{ return(false) }}
    {% endif %}
    {{ return(type == 'flag' or type not in ['whole', 'number'] or 'bool' not in kind) }}
{% endmacro %}

{#- Whether a column of the relation is a list, and no text of one. -#}
{% macro is_list(column) %}
    {{ return('[' in column['type'] or column['type'].startswith('array')) }}
{% endmacro %}

{#- Whether a column of the relation is of JSON, and no text of it. -#}
{% macro is_json(column) %}
    {{ return(column['type'] in ['json', 'jsonb']) }}
{% endmacro %}

{#- One column of the relation (relation_columns) as a value of its type; times are UTC. -#}
{% macro relation_value(column, type) -%}
    {%- set value, json = column['quoted'], json_of_column(column) -%}
    {%- if type == 'time' and 'with time zone' in column['type'] -%}
        {{ return('cast(' ~ value ~ " at time zone 'UTC' as timestamp)") }}
    {%- elif type == 'whole' -%}
        {#- beyond 64 bits, and no number at all, are out of range too -#}
        {{ return(
            'cast(case when ' ~ value ~ ' between -1 and ' ~ max_whole_number() ~ ' then ' ~ value
            ~ ' when ' ~ value ~ ' is not null then -1 end as bigint)'
        ) }}
    {%- elif type == 'flag' and 'bool' not in column['type'] -%}
        {{ return('cast(cast(' ~ value ~ ' as integer) as boolean)') }}
    {%- elif type in ['time', 'number', 'flag'] -%}
        {%- set types = {'time': 'timestamp', 'number': 'double', 'flag': 'boolean'} -%}
        {{ return('cast(' ~ value ~ ' as ' ~ types[type] ~ ')') }}
    {%- elif type == 'text_list' -%}
        {{ return(
            value if is_list(column) else 'case when ' ~ is_json_list(json) ~ ' then ' ~ json_text_list(json) ~ ' end'
        ) }}
    {%- elif type == 'labels' -%}
        {{ return(
            'case when ' ~ json_is_valid(json) ~ ' then ' ~ without_nulls(json_sorted(json)) ~ ' else ' ~ json
            ~ ' end'
        ) }}
    {%- endif -%}
    {%- set text = json_text(value) if is_json(column) else value -%}
    {{ return('nullif(cast(' ~ text ~ " as string), '')") }}
{%- endmacro %}

{#- The JSON text of a column; an empty text, and the null of JSON, is none. -#}
{% macro json_of_column(column) -%}
    nullif(nullif(cast({{ column['quoted'] }} as string), ''), 'null')
{%- endmacro %}

{#- Boolean: JSON text of a list of texts. -#}
{% macro is_json_list(json) -%}
    {%- set blank, text = '\\s*', '"([^"\\\\]|\\\\.)*"' -%}
    {%- set texts = text ~ blank ~ '(,' ~ blank ~ text ~ blank ~ ')*' -%}
    case
        when {{ regex_test(json, '^' ~ blank ~ '[[]' ~ blank ~ '(' ~ texts ~ ')?[]]' ~ blank ~ '$') }}
            then {{ json_is_valid(json) }}
        else false
    end
{%- endmacro %}

{#- JSON text: the labels of a row, from the columns that are named as var labels names them. -#}
{% macro labels_of_columns(values) -%}
    nullif('{' || concat_ws(
        ','
        {%- for name in further_labels() | sort if name in values %},
        '"{{ name }}":' || {{ label_quoted('cast(' ~ values[name] ~ ' as string)') }}
        {%- endfor %},
        cast(null as string)
    ) || '}', '{}')
{%- endmacro %}

{#-
    The calls of the relation, of the values that it has (relation_values), each with why it is left
    out.
-#}
{% macro relation_calls(relation, values) %}
    {% set key = [] %}
    {% for field in relation_fields() if field['name'] in values and field['type'] != 'text_list' %}
        {% do key.append(field['name']) %}
    {% endfor %}
    {% if 'labels' not in values %}
        {% do values.update({'labels': labels_of_columns(values)}) %}
    {% endif %}
    typed as (
        select
            {%- for field in relation_fields() %}
            {%- set name = field['name'] %}
            {%- if name ~ '_text' in values %}
            {{ values[name ~ '_text'] }} as {{ name }}_text,
            {%- endif %}
            {{ values.get(name, typed_null(field['type'])) }} as {{ name }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ relation }}
    ),

    identified as (
        select
            *,
            coalesce(event_id, 'md5:' || md5({{ key_of(key) }})) as known_id,
            case
                when occurred_at is null then 'occurred_at is missing'
                when occurred_at < cast('2000-01-01 00:00:00' as timestamp) then 'occurred_at is before 2000'
                when {{ is_in_the_future('occurred_at') }} then 'occurred_at is in the future'
                when actual_output_tokens is null then 'actual_output_tokens is missing'
                {%- for field in event_fields() if field['type'] == 'whole' %}
                when not {{ field['name'] }} between 0 and {{ max_whole_number() }} then '{{ field["name"] }} is out of range'
                {%- endfor %}
                {%- for field in event_fields() if field['name'] ~ '_text' in values %}
                when {{ field['name'] }}_text is not null and {{ field['name'] }} is null then '{{ field["name"] }} is no list of texts'
                {%- endfor %}
                when labels is not null and not {{ are_labels('labels') }} then 'labels is no object of texts'
            end as fault
        from typed
    ),

    -- a row that is no call takes the id of none that is

    numbered as (
        select
            *,
            row_number() over (
                partition by known_id
                order by
                    case when fault is null then 0 else 1 end asc,
                    occurred_at asc nulls last,
                    actual_output_tokens asc nulls last
            ) as copy_no
        from identified
    ),

    told_apart as (
        select
            *,
            case
                when event_id is null and copy_no > 1 then known_id || '-' || cast(copy_no as string)
                else known_id
            end as call_id
        from numbered
    ),

    final as (
        select
            call_id as event_id,
            event_id is not null as has_event_id,
            {%- for field in event_fields() %}
            {%- set name = field['name'] %}
            {{ {
                'run_id': "coalesce(run_id, 'unknown')",
                'phase_id': 'coalesce(phase_id, call_id)',
            }.get(name, name) }} as {{ name }},
            {%- endfor %}
            {{ text_literals([relation_name(relation) | replace('"', '')]) }} as source_file,
            cast(null as bigint) as line_no,
            cast(1 as bigint) as landing_no,
            coalesce(
                fault, case when event_id is not null and copy_no > 1 then 'event_id came before' end
            ) as left_out
        from told_apart
    )
{% endmacro %}

{#- Warns of the rows that are left out, of each reason in one sentence. -#}
{% macro name_left_out_rows(calls) %}
    {% if execute %}
        {% for row in run_query(
            'select left_out, source_file, count(*) as n_rows from ' ~ calls
            ~ ' where left_out is not null group by left_out, source_file order by n_rows desc, left_out'
        ).rows %}
            {% do exceptions.warn(
                'tokenest left out ' ~ row['n_rows'] ~ ' row(s) of ' ~ row['source_file'] ~ ': ' ~ row['left_out']
            ) %}
        {% endfor %}
    {% endif %}
{% endmacro %}
