with

source_quality as (
    select * from {{ ref('int_source_quality') }}
),

source_advice as (
    select * from {{ ref('source_advice') }}
),

shares as (
    select
        source_name,
        version,
        model,
        n_calls,
        {{ ratio('n_partial', 'n_calls') }} as partial_share,
        {{ ratio('n_ceiling_known', 'n_calls') }} as ceiling_known_share,
        {{ ratio('n_stop_known', 'n_calls') }} as stop_known_share,
        {{ ratio('n_stop_said', 'n_calls') }} as stop_said_share,
        {{ ratio('n_truncation_known', 'n_calls') }} as truncation_known_share,
        is_usable
    from source_quality
),

advised as (
    {{ with_switch_on('shares', 'source_advice') }}
),

final as (
    select
        {{ key_of(['source_name', 'version', 'model']) }} as source_quality_key,
        source_name,
        version,
        model,
        n_calls,
        partial_share,
        ceiling_known_share,
        stop_known_share,
        truncation_known_share,
        is_usable,
        switch_on
    from advised
)

select * from final
