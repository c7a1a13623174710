"""registry: who and what exists in this city: people, organisations, policies; and the vault."""
