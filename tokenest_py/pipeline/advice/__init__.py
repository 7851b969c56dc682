"""Advice on the ceilings of logs that exist: what is cut off, and which max_tokens to set."""
