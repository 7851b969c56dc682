{#-
    Ceilings as the runtime answers them (tokenest_py/runtime/budget.py, quantiles.py), from the rows
    of exports.coefficients. A cell that nothing was seen of is asked for with the value (new).
-#}

{#- The columns that a cell has before its model, from wide to narrow. -#}
{% macro asked_columns() %}
    {{ return(demand_levels()[label_level() + 1]) }}
{% endmacro %}

{#- The value of a column that no call has had. -#}
{% macro new_value() %}
    {{ return("'(new)'") }}
{% endmacro %}

{#- Columns of asked_columns: as they are up to a position, null behind it. -#}
{% macro cut_columns(most) -%}
    {%- for column in asked_columns() -%}
    {{ column if loop.index <= most else 'cast(null as string)' }} as {{ column }}
    {{- ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- Columns of asked_columns: one of them is (new), the others are as they are. -#}
{% macro with_new_value(column) -%}
    {%- for other in asked_columns() -%}
    {{ new_value() if other == column else other }} as {{ other }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- A number as the exported file has it: six decimals. -#}
{% macro exported_number(value) -%}
    cast(cast({{ value }} as decimal(28, 6)) as double)
{%- endmacro %}

{#- Tokens of a logarithm, rounded up, as the runtime rounds them. -#}
{% macro tokens_of_log(ln_tokens) -%}
    cast(least(cast(1e8 as double), ceil(exp(least({{ ln_tokens }}, cast(20 as double))) - 1e-9)) as bigint)
{%- endmacro %}

{#- A number rounded to a whole one, a half to the even neighbour, as Python rounds it. -#}
{% macro round_to_even(number) -%}
    case
        when {{ number }} - floor({{ number }}) = 0.5 and floor({{ number }} / 2) * 2 = floor({{ number }})
            then floor({{ number }})
        else floor({{ number }} + 0.5)
    end
{%- endmacro %}

{#-
    Text: a model's name without region, vendor, account, provider, fine-tune and version, as
    `canonical` of tokenest_py/runtime/limits.py has it.
-#}
{% macro canonical_model(name) -%}
    {%- set providers = 'openai|openai-chat|openai-responses|azure|anthropic|bedrock|google'
        ~ '|google-gla|google-vertex|gemini|vertex|groq|mistral|cohere|deepseek|xai|grok|openrouter|together'
        ~ '|fireworks|ollama' -%}
    {%- set regions = 'us|eu|apac|jp|au|ca|sa|me|af|il|global|us-gov' -%}
    {%- set vendors = 'anthropic|amazon|meta|mistral|cohere|ai21|deepseek|qwen|openai|google|writer'
        ~ '|minimax|moonshotai?|nvidia|zai' -%}
    {%- set steps = [
        ('^.*/', ''),
        ('^(' ~ providers ~ '):', ''),
        ('^ft:([^:]*).*$', group_of_match(1)),
        ('^(' ~ regions ~ ')[.]([a-z0-9-]+[.])', group_of_match(2)),
        ('^(' ~ vendors ~ ')[.]', ''),
        ('(-v[0-9]+)?:[0-9]+(:[0-9]+k)?$', ''),
        ('@', '-'),
        ('^(claude.*)-v[0-9]+$', group_of_match(1)),
        ('^(claude.*[0-9])[.]([0-9])', group_of_match(1) ~ '-' ~ group_of_match(2)),
        ('^(claude.*[0-9])[.]([0-9])', group_of_match(1) ~ '-' ~ group_of_match(2)),
        ('-(latest|default)$', ''),
    ] -%}
    {%- set ns = namespace(sql="lower(trim(" ~ name ~ "))") -%}
    {%- for pattern, replacement in steps -%}
        {%- set ns.sql = regex_replace_all(ns.sql, pattern, replacement) -%}
    {%- endfor -%}
    {{ ns.sql }}
{%- endmacro %}

{#- Text: a canonical name without its date. -#}
{% macro undated_model(name) -%}
    {{ regex_replace_all(name, '-(20[0-9]{6}|20[0-9]{2}-[0-9]{2}-[0-9]{2}|[0-9]{4})$', '') }}
{%- endmacro %}

{#-
    Rows of a group's columns, the ceilings that it has now, n calls of each, present_from, when the
    first hour with one began, and commonness, 1 of the commonest. Now are the newest hours that hold
    present_calls of its calls: older ones had what was sent then.
-#}
{% macro present_ceilings(relation, group) -%}
    select
        {{ group }},
        ceiling_tokens,
        sum(n) as n,
        min(started_at) as present_from,
        row_number() over (
            partition by {{ group }}
            order by sum(n) desc, ceiling_tokens desc
        ) as commonness
    from (
        select
            *,
            sum(n) over (partition by {{ group }} order by started_at desc)
            - sum(n) over (partition by {{ group }}, started_at) as n_newer
        from (
            select
                {{ group }},
                ceiling_tokens,
                cast(date_trunc('hour', occurred_at) as timestamp) as started_at,
                count(*) as n
            from {{ relation }}
            where ceiling_tokens is not null
            group by {{ group }}, ceiling_tokens, cast(date_trunc('hour', occurred_at) as timestamp)
        ) as hours
    ) as added_up
    where n_newer < {{ var('present_calls') }}
    group by {{ group }}, ceiling_tokens
{%- endmacro %}
