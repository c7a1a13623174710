"""The four services of a node; none imports another."""
