"""A dossier under way to this city: its entries on disk, seen by no query until it is adopted."""
