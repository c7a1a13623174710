"""The transfer code, and what this city's registry answers when another city shows one."""
