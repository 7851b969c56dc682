{{ repeated_lines('openai_batch') }}
