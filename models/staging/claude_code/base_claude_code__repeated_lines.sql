{#- A call stands on several lines, and its output grows; resumed sessions copy them. -#}
{{ repeated_lines('claude_code', best='lines.actual_output_tokens desc') }}
