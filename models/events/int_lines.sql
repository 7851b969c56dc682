{{ united('base', 'lines', {
    'source_file': 'text', 'line_no': 'whole', 'record_no': 'whole', 'landing_no': 'whole', 'is_blank': 'flag',
    'is_other': 'flag', 'left_out': 'text', 'reject_reason': 'text', 'reject_fields': 'text', 'line_bytes': 'whole',
    'line_md5': 'text', 'line_text': 'text', 'event_key': 'text', 'occurred_at': 'time', 'file_bytes': 'whole',
    'modified_at': 'time', 'has_open_tail': 'flag', 'file_path': 'text', 'landed_bytes': 'whole',
}) }}
