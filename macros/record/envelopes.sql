{#-
    The envelopes of a source (`envelopes` in the meta of its base model): by the name that the paths of
    its field map have for one (`response>usage`), `names`, the members that may be it, and `holds`, paths
    of which one has to be there. A program keeps what it asked of an API, and what came back, under a
    name of its own; what holds no such path is the program's, and nothing of it is read.
-#}
{% macro source_envelopes(source) %}
    {% set lines = graph.nodes['model.tokenest.base_' ~ source ~ '__lines'] %}
    {{ return(lines.config.meta.get('envelopes', {})) }}
{% endmacro %}

{#- The members that may be an envelope, of all envelopes. -#}
{% macro envelope_names(envelopes) %}
    {{ return(envelopes.values() | map(attribute='names') | sum(start=[])) }}
{% endmacro %}

{#- By envelope, the tree of the paths of fields that lead into it. -#}
{% macro envelope_trees(envelopes, fields) %}
    {% set trees = {} %}
    {% for envelope in envelopes %}
        {% set paths = [] %}
        {% for path in field_paths(fields) if path.startswith(envelope ~ '>') %}
            {% do paths.append(path.partition('>')[2]) %}
        {% endfor %}
        {% do trees.update({envelope: path_tree(paths)}) %}
    {% endfor %}
    {{ return(trees) }}
{% endmacro %}

{#- The object in each member that may be an envelope, or in its text: columns <member>_text. -#}
{% macro envelope_texts(record, envelopes, tree) %}
    {%- for name in envelope_names(envelopes) %}
        {%- set member = json_member(record, name, tree) %}
        case
            when left({{ member }}, 1) = '{' then {{ member }}
            when left({{ member }}, 2) <> '"{' then null
            when {{ json_is_valid(json_text(member)) }} then {{ json_text(member) }}
        end as {{ name }}_text{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Each envelope, read along the paths that lead into it: the columns <envelope>_record. -#}
{% macro envelope_records(envelopes, trees) %}
    {%- for envelope, rule in envelopes.items() %}
        {%- set found %}
        case
            {%- for name in rule['names'] %}
            when {{ json_holds_one(name ~ '_text', rule['holds']) }} then {{ name }}_text
            {%- endfor %}
        end
        {%- endset %}
        {{ json_record(found, trees[envelope]) }} as {{ envelope }}_record{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
