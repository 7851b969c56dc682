{{ repeated_lines('vertex_batch') }}
