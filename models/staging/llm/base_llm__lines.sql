{{ land(
    'llm',
    each=['[]'],
    left_out="case when actual_output_tokens is null then 'no output counted' end",
    key="'llm:' || phase_id_value",
) }}
