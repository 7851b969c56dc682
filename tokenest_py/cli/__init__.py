"""The `tokenest` command. Each command has a module of its own; app.py lists them."""
