{{ repeated_lines('tokenest', keeps_text=true) }}
