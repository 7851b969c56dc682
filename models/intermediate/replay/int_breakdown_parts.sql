with

events as (
    select * from {{ ref('int_events') }}
),

token_weights as (
    select * from {{ ref('token_weights') }}
),

estimator_constants as (
    select * from {{ ref('estimator_constants') }}
),

coefficients as (
    select
        name || '_' || label as coefficient,
        'deliverables' as replay_model,
        true as is_file,
        name = 'doc' as is_document,
        value
    from token_weights

    union all

    select
        name as coefficient,
        case when left(name, 8) = 'doc_sot_' then 'doc_sot_update' else 'doc_synthesis' end
            as replay_model,
        name in ('doc_sot_per_file', 'doc_synthesis_per_file') as is_file,
        true as is_document,
        value
    from estimator_constants
    where left(name, 8) = 'doc_sot_' or left(name, 14) = 'doc_synthesis_'
),

-- the few distinct texts, not every part of every event
parts as (
    select distinct {{ unnest_list('breakdown') }} as part
    from events
),

read_parts as (
    select
        part,
        {{ regex_first('part', breakdown_pattern('coefficient')) }} as coefficient,
        cast({{ number_of_text(regex_first('part', breakdown_pattern('count'))) }} as bigint)
            as part_count,
        {{ regex_first('part', breakdown_pattern('note')) }} as note
    from parts
),

final as (
    select
        read_parts.part,
        coefficients.replay_model,
        coefficients.is_document,
        read_parts.part_count
        * {{ whole_tokens('coefficients.value', breakdown_factor('read_parts.note')) }}
            as part_tokens,
        case when coefficients.is_file then read_parts.part_count else 0 end as file_count,
        case when read_parts.note = 'assumed' then read_parts.part_count else 0 end
            as assumed_new_count
    from read_parts
    inner join coefficients
        on read_parts.coefficient = coefficients.coefficient
    where
        read_parts.part_count > 0
        and {{ breakdown_factor('read_parts.note') }} > 0
)

select * from final
