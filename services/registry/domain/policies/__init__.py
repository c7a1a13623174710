"""The policy: versioned rules of a jurisdiction, published by two persons."""
