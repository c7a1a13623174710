"""The organisation: registered with a code or filed at an office; sanctioned or not."""
