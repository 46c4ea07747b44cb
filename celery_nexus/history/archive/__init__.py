"""An archive of runs that are over: a folder of Parquet files, each argument a column of its type."""
