with

group_advice as (
    select * from {{ ref('int_group_advice') }}
),

multipliers as (
    select * from {{ ref('multipliers') }}
),

ceilings as (
    select
        'ceiling' as figure,
        case
            when call_group <> '' then call_group
            when count(*) over () > 1 then 'all others'
            else 'all'
        end as subject,
        labels,
        verdict,
        reason,
        n,
        n_known,
        n_truncated,
        truncation_rate,
        max_truncation,
        cast(usual_ceiling_tokens as double) as present,
        cast(proposed_tokens as double) as proposed,
        is_at_least,
        is_cut_off_now,
        {{ advice_command() }} as command
    from group_advice
    where max_truncation = cast({{ advised_rate() }} as double)
),

-- of the estimates, replayed with the rules of today: the multiplier that a promotion brings in
replayed as (
    select
        *,
        action as verdict,
        n as n_known
    from multipliers
    where
        method = '{{ var("exported_multiplier") }}'
        and estimator_version = 'replayed'
        and max_truncation is null
        and multiplier is not null
),

estimates as (
    select
        'estimate' as figure,
        category || ' / ' || complexity as subject,
        '{"category":' || {{ json_quoted('category') }}
        || ',"complexity":' || {{ json_quoted('complexity') }} || '}' as labels,
        verdict,
        coalesce(
            nullif(gate_note, ''),
            'half of the calls need ' || {{ plain_number(rounded('multiplier', 2)) }} || ' of it'
        ) as reason,
        n,
        n_known,
        cast(null as bigint) as n_truncated,
        cast(null as double) as truncation_rate,
        cast(null as double) as max_truncation,
        cast(1 as double) as present,
        case when verdict in ('raise', 'lower') then multiplier end as proposed,
        false as is_at_least,
        cast(null as boolean) as is_cut_off_now,
        {{ advice_command() }} as command
    from replayed
),

united as (
    select * from ceilings
    union all
    select * from estimates
),

final as (
    select
        {{ key_of(['figure', 'labels']) }} as advice_key,
        *
    from united
)

select * from final
