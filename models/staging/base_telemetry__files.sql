{{ config(enabled=is_read(), post_hook="{{ name_unread_files(this) }}") }}

{% set listing = source('telemetry', 'files') %}

with

listed as (
    select distinct
        cast(size as bigint) as file_bytes,
        cast(last_modified as timestamp) as modified_at,
        {{ path_as_text('filename') }} as source_file,
        {{ is_text('filename') }} as is_named_in_text
    from {{ listing }}
),

set_aside as (
    {{ files_set_aside() }}
),

-- what the globs cannot list is there by name alone
files as (
    select
        listed.file_bytes,
        listed.modified_at,
        coalesce(listed.source_file, set_aside.source_file) as source_file,
        case
            when not listed.is_named_in_text then 'its name is no UTF-8'
            else set_aside.reason
        end as reason
    from listed
    full outer join set_aside
        on listed.source_file = set_aside.source_file
),

landed as (
    {{ landed_sources() }}
),

said as (
    {{ said_sources() }}
),

heads as (
    {{ file_heads(files_to_recognise(listing)) }}
),

recognised as (
    {{ recognised_sources('heads') }}
),

placed as (
    select
        files.source_file,
        coalesce(
            case when files.reason is not null then 'set_aside' end,
            case when landed.is_sure then landed.source_name end,
            said.source_name,
            case
                when
                    landed.source_file is null
                    or recognised.source_name not in ('unrecognised', 'ambiguous')
                    then recognised.source_name
            end,
            landed.source_name,
            '{{ var("sources")[0] }}'
        ) as source_name,
        coalesce(files.reason, recognised.looks_like) as looks_like,
        files.file_bytes,
        files.modified_at
    from files
    left join landed
        on files.source_file = landed.source_file
    left join said
        on files.source_file = said.source_file
    left join recognised
        on files.source_file = recognised.source_file
),

final as (
    select
        *,
        case
            when source_name in ('unrecognised', 'ambiguous') then 'unrecognised'
            when source_name <> 'set_aside' then cast(null as string)
            when {{ text_starts_with('looks_like', "'its name '") }} then 'bad_name'
            when {{ text_starts_with('looks_like', "'it is no file'") }} then 'not_a_file'
            else 'unreadable'
        end as state
    from placed
)

select * from final
