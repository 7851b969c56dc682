"""What works on telemetry: needs the extra `pipeline`, and knows no terminal."""
