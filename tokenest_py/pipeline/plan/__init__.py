"""A build without dbt: what dbt compiled once, run by DuckDB in one transaction."""
