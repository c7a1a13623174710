"""What does a sheet of service hours say? Reading, columns, cells, and the sheet of bad rows."""
