{#-
    The globs of TOKENEST_TELEMETRY: [{source, glob}]. A word of var sources and a colon before a glob
    say whose its files are; `~` is the home folder. What the yml of the source telemetry.files does
    is the same, where no macro can be called.
-#}
{% macro telemetry_globs() %}
    {% set globs = [] %}
    {% for part in env_var('TOKENEST_TELEMETRY', 'telemetry/**/*.ndjson').split(',') %}
        {% set word, colon, rest = (part | trim).partition(':') %}
        {% set is_said = colon and not rest.startswith('//') %}
        {% set glob = rest if is_said else part | trim %}
        {% if is_said and word not in var('sources') %}
            {% do exceptions.raise_compiler_error(
                "TOKENEST_TELEMETRY: '" ~ word ~ ":' before a path names no source; it is one of " ~ var('sources') | join(', ')
            ) %}
        {% endif %}
        {% do globs.append({
            'source': word if is_said else none,
            'glob': env_var('HOME', '') ~ glob[1:] if glob.startswith('~/') else glob,
        }) %}
    {% endfor %}
    {{ return(globs) }}
{% endmacro %}

{#- source_file and source_name of the files whose source is said. -#}
{% macro said_sources() %}
    {% set said = telemetry_globs() | selectattr('source') | list %}
    {% for glob in said if execute %}
    select
        filename as source_file,
        '{{ glob["source"] }}' as source_name
    from {{ matching_files(glob['glob']) }}
    {{ 'union all' if not loop.last }}
    {% else %}
    select
        cast(null as string) as source_file,
        cast(null as string) as source_name
    where false
    {% endfor %}
{% endmacro %}
