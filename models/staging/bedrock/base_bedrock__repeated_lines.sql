{{ repeated_lines('bedrock') }}
