"""How moves reach the world: HTTP of people and cities, Kafka, PostgreSQL, and the keys."""
