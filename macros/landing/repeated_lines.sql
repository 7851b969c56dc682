{#-
    base_<source>__repeated_lines: readable lines that do not count, because their key came before.
    Equal content counts at its first place. What landed first under a key stays; other content is a
    conflict, unless the source says which line is the best (`best`: an order of SQL over the columns
    of `lines`): a call that grows, or of which several records each know a part. Then the best
    line counts. keeps_text: a conflict shows what its record says.
-#}
{% macro repeated_lines(source, best=none, keeps_text=false) %}
{{ config(
    enabled=is_read(source),
    materialized=follows_landing(),
    unique_key='event_key',
    post_hook='{{ remember_landing() }}',
) }}
{% set base = ref('base_' ~ source ~ '__lines') %}
{% set place = 'lines.source_file asc, lines.line_no asc, lines.record_no asc' %}
{% if execute and not has_landed(source) %}
{{ no_repeated_lines() }}
{% elif execute %}
with

lines as (
    select * from {{ base }}
),

-- few columns of all lines: whole lines are read of the repeated ones alone
event_lines as {{ inlined() if not is_incremental() }} (
    select
        source_file,
        line_no,
        record_no,
        landing_no,
        event_key
    from {{ base }}
    where event_key is not null {{ and_of_new_ids(base) }}
),

repeated_keys as (
    select event_key
    from event_lines
    group by event_key
    having count(*) > 1
),

repeated_places as (
    select
        source_file,
        line_no,
        record_no,
        landing_no
    from event_lines
    where event_key in (select repeated_keys.event_key from repeated_keys)
),

-- content is what the record says, not how it was spelled: order of keys and spaces do not count;
-- a verdict is as new as the newest line of its id, wherever the older ones stand
repeated as (
    select
        lines.source_file,
        lines.line_no,
        lines.record_no,
        max(lines.landing_no) over (partition by lines.event_key) as landing_no,
        lines.event_key,
        lines.run_id,
        lines.phase_id,
        {{ event_content_md5('lines', source) }} as content_md5,
        {{ event_as_text('lines', source) if keeps_text else 'cast(null as string)' }} as line_text,
        row_number() over (
            partition by lines.event_key
            order by {{ best or 'lines.landing_no asc' }}, {{ place }}
        ) as occurrence
    from lines
    inner join repeated_places
        on
            lines.landing_no = repeated_places.landing_no
            and lines.source_file = repeated_places.source_file
            and lines.line_no = repeated_places.line_no
            and lines.record_no = repeated_places.record_no
),

{% if best -%}
judged as (
    select
        *,
        occurrence as copy_no,
        false as is_conflict
    from repeated
),
{%- else -%}
first_landed as (
    select
        event_key,
        content_md5
    from repeated
    where occurrence = 1
),

-- equal lines count at the first place by name, whichever of them landed first
judged as (
    select
        repeated.*,
        repeated.content_md5 <> first_landed.content_md5 as is_conflict,
        row_number() over (
            partition by repeated.event_key, repeated.content_md5
            order by {{ place | replace('lines.', 'repeated.') }}
        ) as copy_no
    from repeated
    inner join first_landed
        on repeated.event_key = first_landed.event_key
),
{%- endif %}

final as (
    select
        source_file,
        line_no,
        record_no,
        landing_no,
        event_key,
        run_id,
        phase_id,
        case when is_conflict then 'id_conflict' else 'duplicate' end as verdict,
        case when is_conflict then line_text end as line_text
    from judged
    where is_conflict or copy_no > 1
)

select * from final
{% endif %}
{% endmacro %}

{#- The columns of base_<source>__repeated_lines with their types. -#}
{% macro repeated_line_types() %}
    {{ return({
        'source_file': 'text', 'line_no': 'whole', 'record_no': 'whole', 'landing_no': 'whole', 'event_key': 'text',
        'run_id': 'text', 'phase_id': 'text', 'verdict': 'text', 'line_text': 'text',
    }) }}
{% endmacro %}

{#- No row of base_<source>__repeated_lines. -#}
{% macro no_repeated_lines() %}
    {{ no_rows(repeated_line_types()) }}
{% endmacro %}

{#-
    The CTE `final` of a base_<source>__repeated_lines that finds copies among all lines of its source:
    those of `relation` with a copy_no above 1.
-#}
{% macro later_copies(source, relation, landing_no, phase_id='cast(null as string)') %}
{% do config(enabled=is_read(source)) %}
final as (
    {% if not has_landed(source) %}
    {{ no_repeated_lines() }}
    {% else %}
    select
        source_file,
        line_no,
        record_no,
        {{ landing_no }} as landing_no,
        event_id as event_key,
        run_id,
        {{ phase_id }} as phase_id,
        'duplicate' as verdict,
        cast(null as string) as line_text
    from {{ relation }}
    where copy_no > 1
    {% endif %}
)
{% endmacro %}
