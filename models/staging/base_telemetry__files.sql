{{ config(post_hook="{{ check_files(this) }}") }}

{% set listing = source('telemetry', 'files') %}

with

files as (
    select * from {{ listing }}
),

landed as (
    {{ landed_sources() }}
),

heads as (
    {{ file_heads(files_to_recognise(listing)) }}
),

recognised as (
    {{ recognised_sources('heads') }}
),

-- a file that no source, or more than one, recognises is judged line by line by the first source
final as (
    select distinct
        files.filename as source_file,
        coalesce(landed.source_name, recognised.source_name, '{{ var("sources")[0] }}')
            as source_name,
        cast(files.size as bigint) as file_bytes,
        cast(files.last_modified as timestamp) as modified_at
    from files
    left join landed
        on files.filename = landed.source_file
    left join recognised
        on files.filename = recognised.source_file
)

select * from final
