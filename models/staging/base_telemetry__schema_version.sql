{{ config(enabled=is_read()) }}

with

final as (
    select cast({{ schema_version() }} as bigint) as schema_version
)

select * from final
