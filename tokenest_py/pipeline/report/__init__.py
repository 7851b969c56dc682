"""The report: what the marts say, as one page, as Markdown, as JSON, and as a summary."""
