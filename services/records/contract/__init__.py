"""What outsiders may rely on: topics, event types, shapes, released examples and their schemas."""
