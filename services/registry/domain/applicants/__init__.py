"""The applicant: a person who asks this city to take over her dossier from another."""
