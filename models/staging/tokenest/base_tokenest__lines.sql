-- the project's own record alone keeps a piece of its text, and the line has to say that it is one
{{ land(
    'tokenest',
    text_kept_where=regex_test('line_text', '(^|[^\\\\])"(actual_output_tokens|record_type)" *:'),
) }}
