{#-
    What the files of batches have in common: a request has a line of its own, often in a file of its
    own, and knows the ceiling; the result has the counts. Nothing of a prompt or an error is stored.
-#}

{#- The group of an id: summary for summary-0001. An id without a number at its end has none. -#}
{% macro form_id_prefix(value) -%}
    nullif('"' || {{ regex_first(value, '^"([^"]*)[-_/#][0-9]+"$') }} || '"', '""')
{%- endmacro %}

{#- true for a member that says something; what it says is not kept. -#}
{% macro form_present(value) -%}
    case
        when
            lower({{ value }}) not in (
                '""', 'null', '{}', '[]', 'false', '0', '"false"', '"none"', '"null"'
            )
            then 'true'
    end
{%- endmacro %}

{#- The first text of an object of labels. -#}
{% macro form_first_text(value) -%}
    nullif('"' || {{ regex_first(value, '^[{] *"[^"]*" *: *"([^"\\\\]*)"') }} || '"', '""')
{%- endmacro %}

{#-
    The CTEs from the lines of a batch to `calls`, for a source whose requests are left out as
    `request` and whose lines have `custom_id` and `ceiling`. A ceiling joins within one folder, and
    only where the id means one request there and one result: an id is unique in its batch alone.
    file_time: the records hold no time, and their events say so.
-#}
{% macro batch_calls(source, file_time=false) %}
{%- set base = ref('base_' ~ source ~ '__lines') %}
{%- set folder = regex_first('source_file', '^(.*)[/]') %}
lines as (
    select * from {{ base }}
),

-- a request or a result that lands later changes what the id means
accepted as (
    {{ accepted_calls(
        source,
        changed='(lines.landing_no > ' ~ landed_before() ~ ' or lines.custom_id in ('
        ~ 'select new_lines.custom_id from lines as new_lines where new_lines.landing_no > ' ~ landed_before() ~ '))',
        own=['custom_id'],
    ) }}
),

placed as (
    select
        *,
        {{ folder }} as folder,
        max(landing_no) over (partition by custom_id) as id_landing_no,
        count(*) over (partition by custom_id) as results_of_id,
        count(*) over (partition by custom_id, {{ folder }}) as results_in_folder
    from accepted
),

requests as (
    select
        {{ folder }} as folder,
        custom_id,
        min(coalesce(ceiling, 0)) as smallest_ceiling,
        max(coalesce(ceiling, 0)) as largest_ceiling,
        max(landing_no) as request_landing_no
    from lines
    where left_out = 'request' and custom_id is not null
    group by {{ folder }}, custom_id
),

joined as (
    select
        placed.*,
        requests.largest_ceiling,
        requests.smallest_ceiling is not null
        and (placed.results_in_folder > 1 or requests.smallest_ceiling <> requests.largest_ceiling)
            as is_ambiguous,
        coalesce(placed.reasoning_tokens >= placed.actual_output_tokens, false)
        and {{ says_truncated('placed.stop_reason') }} as is_starved,
        coalesce(requests.request_landing_no, 0) as request_landing_no
    from placed
    left join requests
        on placed.folder = requests.folder and placed.custom_id = requests.custom_id
),

calls as (
    select
        {{ call_columns('joined', {
            'phase_id': 'case when results_of_id = 1 then phase_id else event_id end',
            'labels': "'{\"time\":\"file\"}'" if file_time else 'labels',
            'actual_max_tokens': 'coalesce(actual_max_tokens, case when not is_ambiguous then nullif(largest_ceiling, 0) end)',
            'success': 'true',
            'quality_flags': 'case when is_starved then ' ~ json_text_list("'[\"reasoning_starved\"]'")
                ~ ' when is_ambiguous then ' ~ json_text_list("'[\"ambiguous_request\"]'") ~ ' end',
            'landing_no': 'greatest(id_landing_no, request_landing_no)',
        }) }}
    from joined
),
{% endmacro %}

{#- Of the chunks of a streamed answer, the stop word that one of them says. -#}
{% macro form_chunks_stop(value) -%}
    case
        when left({{ value }}, 1) = '['
            then nullif('"' || {{ regex_first(value, '"(?:stop|finish|completion)_?[rR]eason" *: *"([^"\\\\]*)"') }} || '"', '""')
    end
{%- endmacro %}
