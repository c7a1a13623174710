"""A subject's standing: minutes by cell, stars held, applications, and the freeze of a move."""
