with

advice as (
    select * from {{ ref('advice') }}
    where figure = 'ceiling'
),

outcomes as (
    select * from {{ ref('int_ceiling_outcomes') }}
),

-- of each group, and of all of them together
summed as (
    {% for labels in ['labels', 'cast(null as string)'] %}
        select
            {{ labels }} as labels,
            sum(n) as n,
            sum(n_known) as n_known,
            sum(n_truncated) as n_truncated,
            sum(n_proposed) as n_proposed,
            sum(n_cut_off_then) as n_cut_off_then,
            sum(n_undecided_then) as n_undecided_then,
            sum(reserved_tokens) as reserved_tokens,
            sum(used_tokens) as used_tokens,
            sum(reserved_then_tokens) as reserved_then_tokens,
            sum(used_then_tokens) as used_then_tokens
        from outcomes
        {{ 'group by labels' if labels == 'labels' }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

measured as (
    select
        labels,
        cast(n as bigint) as n,
        {{ ratio('n_truncated', 'n_known') }} as truncation_rate,
        {{ ratio('n_cut_off_then', 'n_proposed') }} as truncation_then,
        {{ ratio('n_cut_off_then + n_undecided_then', 'n_proposed') }} as most_truncation_then,
        {{ ratio('reserved_tokens', 'used_tokens') }} as reserved_ratio,
        {{ ratio('reserved_then_tokens', 'used_then_tokens') }} as reserved_then_ratio
    from summed
),

final as (
    select
        measured.labels,
        advice.verdict,
        advice.reason,
        advice.command,
        cast(advice.present as bigint) as present_tokens,
        cast(advice.proposed as bigint) as proposed_tokens,
        measured.truncation_then,
        measured.most_truncation_then,
        measured.reserved_ratio,
        measured.reserved_then_ratio,
        coalesce(advice.subject, 'all calls') as subject,
        coalesce(measured.n, advice.n) as n,
        coalesce(advice.is_at_least, false) as is_at_least,
        coalesce(measured.truncation_rate, advice.truncation_rate) as truncation_rate,
        measured.labels is null and advice.subject is null as is_total,
        count(*) over (partition by advice.verdict) as n_of_verdict,
        row_number() over (
            order by
                case when advice.subject is null then 0 else 1 end asc,
                case advice.verdict
                    when 'raise' then 0
                    when 'lower' then 1
                    when 'collect' then 2
                    else 3
                end asc,
                advice.n desc,
                advice.subject asc
        ) as row_no
    from measured
    full outer join advice
        on measured.labels = advice.labels
    where measured.n is not null or advice.n is not null
)

select * from final
where row_no <= 60
