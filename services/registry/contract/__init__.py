"""What outsiders may rely on: topics, event types, released examples and their schemas."""
