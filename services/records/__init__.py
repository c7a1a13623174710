"""Records keeps the dossiers: what was done, who recorded it, and what of it counts."""
