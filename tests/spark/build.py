"""Runs dbt on Spark, one command a line of standard input, all in one process.

The session, its warm JVM and its metastore in memory live from command to command. After each, a
line says how it ended: `ended: ok` or `ended: failed`.
"""

from __future__ import annotations

import shlex
import sys

from dbt.cli.main import dbtRunner
from pyspark.sql import SparkSession

SparkSession.builder.enableHiveSupport().getOrCreate()
print("ended: ok", flush=True)
for command in sys.stdin:
    result = dbtRunner().invoke(shlex.split(command))
    if result.exception:
        print(result.exception)
    print(f"ended: {'ok' if result.success else 'failed'}", flush=True)
