{#-
    The documentation models of the replay, as tokenest_py/runtime/documents.py has them:
    tests/models/test_replay.py holds the two equal.
-#}

{#- Aggregate: one column per constant of seed estimator_constants that is named. -#}
{% macro constant_columns(names) -%}
    {%- for name in names %}
    max(case when name = '{{ name }}' then value end) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Tokens of a documentation synthesis but for its coordination, without task text and scope. -#}
{% macro doc_synthesis_tokens(call, constants) -%}
    floor({{ constants }}.doc_synthesis_investigate_none)
    + floor({{ constants }}.doc_synthesis_per_file) * {{ call }}.file_count
    + case
        when {{ call }}.asks_api_reference then floor({{ constants }}.doc_synthesis_api_reference)
        else 0
    end
    + case
        when {{ call }}.asks_examples then floor({{ constants }}.doc_synthesis_examples)
        else 0
    end
{%- endmacro %}

{#- Tokens for the coordination between the files of a synthesis. -#}
{% macro doc_synthesis_coordination(call, constants) -%}
    case
        when {{ call }}.file_count >= {{ constants }}.doc_synthesis_coordination_files
            then
                floor(
                    {{ constants }}.doc_synthesis_coordination
                    * (floor({{ constants }}.doc_synthesis_per_file) * {{ call }}.file_count)
                )
        else 0
    end
{%- endmacro %}

{#- Tokens of an update of history files but for their consistency, without scope paths. -#}
{% macro doc_sot_update_tokens(call, constants) -%}
    floor({{ constants }}.doc_sot_context_none)
    + floor({{ constants }}.doc_sot_per_file) * {{ call }}.file_count
{%- endmacro %}

{#- Tokens for the consistency between the entries of history files. -#}
{% macro doc_sot_consistency(call, constants) -%}
    floor(
        {{ constants }}.doc_sot_consistency
        * (floor({{ constants }}.doc_sot_per_file) * {{ call }}.file_count)
    )
{%- endmacro %}
