"""What is true of a move between two cities: pure, without clock, chance or wire."""
