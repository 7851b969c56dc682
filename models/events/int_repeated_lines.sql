{{ united('base', 'repeated_lines', [
    'source_file', 'line_no', 'record_no', 'landing_no', 'event_key', 'run_id', 'phase_id', 'verdict', 'line_text',
]) }}
