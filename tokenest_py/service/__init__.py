"""The HTTP service; uses the runtime and the pipeline."""
