"""Imports of paper, spreadsheets and older systems: a sheet, row by row, decided by two people."""
