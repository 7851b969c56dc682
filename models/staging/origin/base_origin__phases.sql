{{ config(enabled=not is_guest()) }}

{% set table = source('origin', 'phases') %}
with

phases as (
    {% if var('origin_phases') %}
        select * from {{ table }}
    {% else %}
        select
            {% for name in [
                'run_id', 'phase_id', 'state', 'task_category', 'complexity', 'created_at',
                'last_failure_reason',
            ] %}
                cast(null as string) as {{ name }},
            {% endfor %}
            cast(null as bigint) as phase_index,
            cast(null as bigint) as builder_attempts,
            cast(null as bigint) as tokens_used
        where false
    {% endif %}
),

final as (
    select
        run_id,
        phase_id,
        phase_index,
        state,
        task_category,
        complexity,
        builder_attempts,
        tokens_used,
        created_at,
        last_failure_reason
    from phases
)

select * from final
