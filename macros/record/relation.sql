{#-
    Events that stand in a relation of a host's warehouse: what its var tokenest__events names.
    A row is a call, in the columns of the event record (docs/event_record.md).
-#}

{#- Boolean: a relation of events is named. -#}
{% macro has_events() %}
    {{ return(is_guest() and builtins.var.has_var('tokenest__events')) }}
{% endmacro %}

{#- The columns that a relation of events may have: those of the record, and the labels by name. -#}
{% macro relation_fields() %}
    {% set labels = [] %}
    {% for name in further_labels() %}
        {% do labels.append({'name': name, 'type': 'text'}) %}
    {% endfor %}
    {{ return([{'name': 'event_id', 'type': 'text'}] + event_fields() + labels) }}
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
    The columns that the relation has of these, by name, each with its SQL as a value of its type. Stops
    the run, in words, where one that is required is missing or one is of another type.
-#}
{% macro relation_values(relation) %}
    {% set columns, values, wrong = relation_columns(relation), {}, [] %}
    {% for field in relation_fields() %}
        {% set name, column = field['name'], columns.get(field['name']) %}
        {% if column %}
            {% set wants = {
                'whole': 'a whole number', 'number': 'a number', 'flag': 'true or false', 'time': 'a timestamp'
            }.get(field['type']) %}
            {% set is_time = 'time' in column['type'] or 'date' in column['type'] %}
            {% if wants and (column['is_text'] or is_time != (field['type'] == 'time')) %}
                {% do wrong.append(name ~ ' is ' ~ ('text' if column['is_text'] else column['type']) ~ ' and has to be ' ~ wants) %}
            {% endif %}
            {% do values.update({name: relation_value(column, field['type'])}) %}
        {% elif name in ['occurred_at', 'actual_output_tokens'] %}
            {% do wrong.append(
                'it has no column ' ~ name ~ (', when a call ended' if name == 'occurred_at'
                else ', all tokens of the answer that count against the ceiling')
            ) %}
        {% endif %}
    {% endfor %}
    {% if wrong %}
        {% do exceptions.raise_compiler_error(
            'the relation of events ' ~ relation ~ ' cannot be read: ' ~ wrong | join('; ')
            ~ '. It has ' ~ columns | join(', ') ~ '; docs/event_record.md has the columns of an event'
        ) %}
    {% endif %}
    {{ return(values) }}
{% endmacro %}

{#- One column of the relation (relation_columns) as a value of its type; times are UTC. -#}
{% macro relation_value(column, type) -%}
    {%- set text = 'cast(' ~ column['quoted'] ~ ' as string)' -%}
    {%- if type == 'time' and 'with time zone' in column['type'] -%}
        {{ return('cast(' ~ column['quoted'] ~ " at time zone 'UTC' as timestamp)") }}
    {%- elif type in ['time', 'whole', 'number', 'flag'] -%}
        {%- set types = {'time': 'timestamp', 'whole': 'bigint', 'number': 'double', 'flag': 'boolean'} -%}
        {{ return('cast(' ~ column['quoted'] ~ ' as ' ~ types[type] ~ ')') }}
    {%- elif type == 'text_list' -%}
        {{ return(column['quoted'] if '[' in column['type'] else json_text_list(text)) }}
    {%- elif type == 'labels' -%}
        {{ return(
            'case when ' ~ json_is_valid(text) ~ ' then ' ~ json_sorted(text) ~ ' else ' ~ text ~ ' end'
        ) }}
    {%- endif -%}
    {{ return("nullif(" ~ text ~ ", '')") }}
{%- endmacro %}

{#- JSON text: the labels of a row, from the columns that are named as var labels names them. -#}
{% macro labels_of_columns(values) -%}
    nullif('{' || concat_ws(
        ','
        {%- for name in further_labels() | sort if name in values %},
        '"{{ name }}":' || {{ label_quoted(values[name]) }}
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
            {{ values.get(name, typed_null(field['type'])) }} as {{ name }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ relation }}
    ),

    identified as (
        select
            *,
            coalesce(event_id, 'md5:' || md5({{ key_of(key) }})) as known_id
        from typed
    ),

    numbered as (
        select
            *,
            row_number() over (
                partition by known_id
                order by occurred_at asc nulls last, actual_output_tokens asc nulls last
            ) as copy_no
        from identified
    ),

    final as (
        select
            case
                when event_id is null and copy_no > 1 then known_id || '-' || cast(copy_no as string)
                else known_id
            end as event_id,
            event_id is not null as has_event_id,
            {%- for field in event_fields() %}
            {%- set name = field['name'] %}
            {{ {
                'run_id': "coalesce(run_id, 'unknown')",
                'phase_id': 'coalesce(phase_id, known_id)',
            }.get(name, name) }} as {{ name }},
            {%- endfor %}
            '{{ relation | replace('"', '') }}' as source_file,
            cast(null as bigint) as line_no,
            cast(1 as bigint) as landing_no,
            case
                when occurred_at is null then 'occurred_at is missing'
                when {{ is_in_the_future('occurred_at') }} then 'occurred_at is in the future'
                when actual_output_tokens is null then 'actual_output_tokens is missing'
                {%- for field in event_fields() if field['type'] == 'whole' %}
                when not {{ field['name'] }} between 0 and {{ max_whole_number() }} then '{{ field["name"] }} is out of range'
                {%- endfor %}
                when labels is not null and not {{ are_labels('labels') }} then 'labels is no object of texts'
                when event_id is not null and copy_no > 1 then 'event_id came before'
            end as left_out
        from numbered
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
