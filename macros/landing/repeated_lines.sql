{#-
    base_<source>__repeated_lines: readable lines that do not count, because their key came before.
    Equal content counts at its first place. Other content under one key is a conflict of all its
    lines, unless the source says which line is the best (`best`: an order of SQL over the columns
    of `lines`): a call that grows, or of which several records each know a part. Then the best
    line counts. keeps_text: a conflict shows what its records say.
-#}
{% macro repeated_lines(source, best=none, keeps_text=false) %}
{{ config(
    materialized=follows_landing(),
    unique_key='event_key',
    post_hook='{{ remember_landing() }}',
) }}
{% set base = ref('base_' ~ source ~ '__lines') %}
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
            order by {{ best ~ ', ' if best }}lines.source_file asc, lines.line_no asc, lines.record_no asc
        ) as occurrence
    from lines
    inner join repeated_places
        on
            lines.landing_no = repeated_places.landing_no
            and lines.source_file = repeated_places.source_file
            and lines.line_no = repeated_places.line_no
            and lines.record_no = repeated_places.record_no
),

contents as (
    select
        event_key,
        {{ '1' if best else 'count(distinct content_md5)' }} as content_count
    from repeated
    group by event_key
),

ranked as (
    select
        repeated.*,
        contents.content_count
    from repeated
    inner join contents
        on repeated.event_key = contents.event_key
),

final as (
    select
        source_file,
        line_no,
        record_no,
        landing_no,
        event_key,
        run_id,
        phase_id,
        case when content_count > 1 then 'id_conflict' else 'duplicate' end as verdict,
        case when content_count > 1 then line_text end as line_text
    from ranked
    where content_count > 1 or occurrence > 1
)

select * from final
{% endif %}
{% endmacro %}

{#- No row of base_<source>__repeated_lines. -#}
{% macro no_repeated_lines() %}
    {{ no_rows({
        'source_file': 'text', 'line_no': 'whole', 'record_no': 'whole', 'landing_no': 'whole', 'event_key': 'text',
        'run_id': 'text', 'phase_id': 'text', 'verdict': 'text', 'line_text': 'text',
    }) }}
{% endmacro %}

{#-
    The CTE `final` of a base_<source>__repeated_lines that finds copies among all lines of its source:
    those of `relation` with a copy_no above 1.
-#}
{% macro later_copies(source, relation, landing_no, phase_id='cast(null as string)') %}
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
