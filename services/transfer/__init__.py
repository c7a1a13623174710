"""Moves a volunteer's record from the city that keeps it to the city that will keep it."""
