{{ config(enabled=is_read()) }}

{{ united('base', 'lines', [
    'source_file', 'line_no', 'record_no', 'landing_no', 'is_blank', 'is_other', 'left_out', 'reject_reason', 'reject_fields',
    'line_bytes', 'line_md5', 'line_text', 'event_key', 'occurred_at', 'file_bytes', 'modified_at',
    'has_open_tail', 'file_path', 'landed_bytes',
]) }}
