{#- A call stands on several lines, and its output grows; resumed sessions and subagents copy them. -#}
{{ repeated_lines('claude_code', best='lines.actual_output_tokens desc') }}
