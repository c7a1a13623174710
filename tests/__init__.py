"""Tests: the many and fast in domain/, the real parts in edge/ and broker/."""
