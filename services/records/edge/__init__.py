"""Where records touches HTTP, Kafka and SQL."""
