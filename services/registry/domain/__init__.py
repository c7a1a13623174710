"""What is true of people, organisations and policies. Pure: no clock, no I/O, no framework."""
