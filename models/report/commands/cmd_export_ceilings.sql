with

max_tokens as (
    select * from {{ ref('max_tokens') }}
    where is_seen and input_bin = 'all' and source <> 'cold-start floor'
),

events as (
    select * from {{ ref('int_events') }}
),

providers as (
    select
        model,
        max(provider) as served_by
    from events
    where model is not null
    group by model
),

-- narrow groups first: a call belongs to the narrowest one that its labels name
of_groups as (
    select
        labels as name,
        max_truncation,
        max_tokens,
        is_identified,
        n
    from max_tokens
    where estimate_bin = 'all' and model = 'all'
),

-- one ceiling for all groups that a model serves: the largest of theirs
of_models as (
    select
        model,
        max_truncation,
        max(max_tokens) as max_tokens,
        min(case when is_identified then 1 else 0 end) as is_all_identified,
        sum(n) as n
    from max_tokens
    where source = 'quantile cell' and model <> 'all'
    group by model, max_truncation
),

united as (
    select
        'group' as kind,
        name,
        cast(null as string) as served_by,
        max_truncation,
        max_tokens,
        not is_identified as is_at_least,
        n
    from of_groups
    union all
    select
        'model' as kind,
        of_models.model as name,
        providers.served_by,
        of_models.max_truncation,
        of_models.max_tokens,
        of_models.is_all_identified = 0 as is_at_least,
        of_models.n
    from of_models
    left join providers
        on of_models.model = providers.model
),

final as (
    select
        *,
        row_number() over (order by kind asc, max_truncation asc, name asc) as row_no
    from united
)

select * from final
