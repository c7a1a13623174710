"""Rewards decides stars (星级认定): what service earns, by the policies in force."""
