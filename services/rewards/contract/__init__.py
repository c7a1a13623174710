"""What outsiders may rely on: topics, event types, their examples and schemas."""
