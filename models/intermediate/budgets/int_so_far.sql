{% set subjects = [
    {'subject': 'label', 'key': 'top_label', 'number': 'label_no', 'value': 'ln_above_model',
     'effect': 'label_effect'},
    {'subject': 'model', 'key': 'model', 'number': 'model_no', 'value': 'ln_above_cell',
     'effect': 'model_effect'},
] %}
with

calls as (
    select * from {{ ref('int_calls_so_far') }}
),

{% for each in subjects %}
    last_of_{{ each.subject }} as (
        select
            {{ each.key }} as name,
            max({{ each.number }}) as n_calls
        from calls
        where {{ each.key }} is not null
        group by {{ each.key }}
    ),

{% endfor %}
states as (
    {% for each in subjects %}
        select
            '{{ each.subject }}' as subject,
            newest.name,
            newest.n_calls,
            {{ so_far_known('newest.n_calls + 1') }} as n_known,
            {{ so_far_effect_after(
                'calls.' ~ each.effect, 'calls.' ~ each.value, 'newest.n_calls'
            ) }} as ln_effect
        from last_of_{{ each.subject }} as newest
        inner join calls
            on
                newest.name = calls.{{ each.key }}
                and newest.n_calls = calls.{{ each.number }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- one answer may be a mistake of the record; two of the same model are none
answers as (
    select
        model,
        demand_tokens,
        row_number() over (partition by model order by demand_tokens desc) as length_rank
    from calls
    where is_observed and model is not null
),

ranked as (
    select
        *,
        row_number() over (partition by subject order by n_calls desc, name asc) as export_rank
    from states
),

final as (
    select
        {{ key_of(['ranked.subject', 'ranked.name']) }} as so_far_key,
        ranked.subject,
        ranked.name,
        cast(ranked.n_calls as bigint) as n_calls,
        ranked.n_known,
        ranked.ln_effect,
        exp(ranked.ln_effect) as effect,
        answers.demand_tokens as answer_tokens,
        ranked.export_rank <= {{ var('max_so_far_keys') }}
        and ranked.ln_effect is not null as is_exported
    from ranked
    left join answers
        on
            ranked.subject = 'model'
            and ranked.name = answers.model
            and answers.length_rank = 2
)

select * from final
