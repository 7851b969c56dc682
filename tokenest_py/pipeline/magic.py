"""The bytes that tell what kind of file one is, by where they stand."""

from __future__ import annotations

__all__ = ["BLOCK", "BZIP2", "DUCKDB", "GZIP", "PARQUET", "SQLITE", "XZ", "ZIP", "ZSTD"]

# at the beginning
SQLITE = b"SQLite format 3\0"
PARQUET = b"PAR1"
ZIP = b"PK\x03\x04"
GZIP = b"\x1f\x8b"
BZIP2 = b"BZh"
XZ = b"\xfd7zXZ\0"
ZSTD = b"\x28\xb5\x2f\xfd"
BLOCK = b"1AY&SY"  # of bzip2, at the fifth byte: a text may begin with BZIP2
DUCKDB = b"DUCK"  # at the ninth
