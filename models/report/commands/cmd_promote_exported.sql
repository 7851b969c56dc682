with

coefficients as (
    select * from {{ ref('coefficients') }}
),

estimator_constants as (
    select * from {{ ref('estimator_constants') }}
),

final as (
    select
        kind,
        name,
        category,
        complexity,
        labels,
        model,
        input_bin,
        max_truncation,
        position,
        label,
        cast({{ plain_number('threshold') }} as double) as threshold,
        cast({{ plain_number('value') }} as double) as value,
        n,
        cast({{ plain_number('confidence') }} as double) as confidence,
        method,
        row_number() over (order by coefficient_key asc) as row_no
    from coefficients
    where
        n is not null
        or kind = 'answer_length'
        or (kind = 'constant' and name not in (select rules.name from estimator_constants as rules))
)

select * from final
