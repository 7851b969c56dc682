"""From the exported table to the one that the runtime reads: scored, reviewed, published."""
