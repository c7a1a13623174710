"""How this service reaches the world: HTTP, Kafka, SQL."""
