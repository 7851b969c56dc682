{{ config(post_hook="{{ name_unread_files(this) }}") }}

{% set listing = source('telemetry', 'files') %}

with

files as (
    select * from {{ listing }}
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

final as (
    select distinct
        files.filename as source_file,
        coalesce(
            landed.source_name,
            said.source_name,
            recognised.source_name,
            '{{ var("sources")[0] }}'
        ) as source_name,
        recognised.looks_like,
        cast(files.size as bigint) as file_bytes,
        cast(files.last_modified as timestamp) as modified_at
    from files
    left join landed
        on files.filename = landed.source_file
    left join said
        on files.filename = said.source_file
    left join recognised
        on files.filename = recognised.source_file
)

select * from final
