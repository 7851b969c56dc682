{{ config(post_hook="{{ check_files(this) }}") }}

with

files as (
    select * from {{ source('telemetry', 'files') }}
),

final as (
    select distinct
        filename as source_file,
        cast(size as bigint) as file_bytes,
        cast(last_modified as timestamp) as modified_at
    from files
)

select * from final
