"""The only room that touches HTTP, Kafka or SQL."""
