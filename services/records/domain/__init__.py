"""What is true of dossiers and their entries. Pure: no clock, no I/O, no framework."""
