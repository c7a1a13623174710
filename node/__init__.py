"""One city on one machine: embedded Apache Kafka and PostgreSQL, a supervisor, the command."""
