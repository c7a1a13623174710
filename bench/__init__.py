"""How fast is it, beside what? ``python -m bench`` prints a table and writes a JSON document."""
