"""What may be asked of ``jiexu``, a module per group of commands."""
