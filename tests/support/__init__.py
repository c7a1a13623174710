"""What tests share: given/when/then, named examples, infrastructure."""
