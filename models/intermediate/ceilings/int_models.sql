with

demand as (
    select * from {{ ref('int_demand') }}
),

coefficients as (
    select * from {{ ref('coefficients') }}
),

model_limits as (
    select * from {{ ref('model_limits') }}
),

model_prices as (
    select * from {{ ref('model_prices') }}
),

models as (
    select distinct model
    from demand
    where model is not null
),

named as (
    select
        model,
        {{ canonical_model('model') }} as canonical_name,
        {{ regex_test('lower(model)', '(^|[/:])ft:') }} as is_fine_tuned
    from models
),

dated as (
    select
        *,
        {{ undated_model('canonical_name') }} as undated_name
    from named
),

{% for relation in ['model_limits', 'model_prices'] %}
    -- the very name before one that is the same but for a date: one without a date, else the newest
    {{ relation }}_of_models as (
        select
            dated.model as asked_model,
            {{ relation }}.*,
            row_number() over (
                partition by dated.model
                order by
                    case
                        when dated.canonical_name = {{ relation }}.model then 0
                        when dated.undated_name = {{ relation }}.model then 1
                        else 2
                    end asc,
                    {{ relation }}.model desc
            ) as choice
        from dated
        inner join {{ relation }}
            on dated.undated_name = {{ undated_model(relation ~ '.model') }}
    ),

{% endfor %}
answers as (
    select
        model,
        {{ exported_number('value') }} as tokens
    from coefficients
    where kind = 'answer_length'
),

final as (
    select
        dated.model,
        dated.canonical_name,
        cast(limits.context_window as bigint) as context_window,
        cast(limits.max_input as bigint) as max_input,
        -- an answer that was longer proves a limit wrong
        cast(
            case
                when limits.max_output is not null
                    then greatest(limits.max_output, coalesce(answers.tokens, 0))
            end as bigint
        ) as max_output,
        case when not dated.is_fine_tuned then prices.input_price end as input_price,
        case when not dated.is_fine_tuned then prices.output_price end as output_price,
        case
            when dated.is_fine_tuned or prices.model is null then 'unknown'
            else prices.source || ', ' || cast(prices.as_of as string)
        end as price_source
    from dated
    left join model_limits_of_models as limits
        on
            dated.model = limits.asked_model
            and limits.choice = 1
    left join model_prices_of_models as prices
        on
            dated.model = prices.asked_model
            and prices.choice = 1
    left join answers
        on dated.model = answers.model
)

select * from final
