"""The story of two cities and one volunteer, told on real processes, each sentence checked."""
