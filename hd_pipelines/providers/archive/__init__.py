"""Option chains that people already own, as a folder of Parquet files."""
