with

files as (
    select * from {{ ref('base_telemetry__files') }}
),

lines as (
    select * from {{ ref('int_lines') }}
),

counted as (
    select
        source_file,
        count(*) as lines,
        sum(case when reject_reason is not null then 1 else 0 end) as quarantined,
        sum(case when event_key is not null then 1 else 0 end) as accepted
    from lines
    group by source_file
),

reasons as (
    select
        source_file,
        reject_reason,
        reject_fields,
        left_out,
        count(*) as n
    from lines
    where reject_reason is not null or left_out is not null
    group by source_file, reject_reason, reject_fields, left_out
),

ranked_reasons as (
    select
        *,
        row_number() over (
            partition by source_file
            order by
                case
                    when reject_reason is not null then 0
                    when left_out not in ('no record', 'no output counted') then 1
                    else 2
                end asc,
                n desc,
                reject_reason asc,
                reject_fields asc nulls first,
                left_out asc
        ) as reason_no
    from reasons
),

usual_reasons as (
    select
        source_file,
        reject_reason,
        reject_fields,
        left_out,
        n
    from ranked_reasons
    where reason_no = 1
),

final as (
    select
        files.source_file,
        files.source_name,
        files.looks_like,
        cast(coalesce(counted.lines, 0) as bigint) as lines,
        cast(coalesce(counted.accepted, 0) as bigint) as accepted,
        cast(coalesce(counted.quarantined, 0) as bigint) as quarantined,
        usual_reasons.reject_reason as usual_reject_reason,
        usual_reasons.reject_fields as usual_reject_fields,
        usual_reasons.left_out as usual_left_out,
        cast(usual_reasons.n as bigint) as usual_lines,
        row_number() over (order by files.source_file asc) as row_no
    from files
    left join counted
        on files.source_file = counted.source_file
    left join usual_reasons
        on files.source_file = usual_reasons.source_file
)

select * from final
