"""The dossier: its entries, its log, its custody."""
