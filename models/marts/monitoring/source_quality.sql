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
        coalesce(version, 'unknown') as version,
        coalesce(model, 'unknown') as model,
        n_calls,
        {{ ratio('n_partial', 'n_calls') }} as partial_share,
        {{ ratio('n_ceiling_known', 'n_calls') }} as ceiling_known_share,
        {{ ratio('n_stop_known', 'n_calls') }} as stop_known_share,
        {{ ratio('n_truncation_known', 'n_calls') }} as truncation_known_share,
        is_usable
    from source_quality
),

advised as (
    select
        shares.*,
        case when shares.partial_share > 0 then of_partial.switch_on end as for_counts,
        case when shares.ceiling_known_share < 0.5 then of_ceiling.switch_on end as for_ceilings,
        case when shares.stop_known_share < 0.5 then of_stop.switch_on end as for_stop_words
    from shares
    left join source_advice as of_partial
        on shares.source_name = of_partial.source_name and of_partial.lacks = 'count'
    left join source_advice as of_ceiling
        on shares.source_name = of_ceiling.source_name and of_ceiling.lacks = 'ceiling'
    left join source_advice as of_stop
        on shares.source_name = of_stop.source_name and of_stop.lacks = 'stop_word'
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
        nullif(concat_ws('; ', for_counts, for_ceilings, for_stop_words), '') as switch_on
    from advised
)

select * from final
