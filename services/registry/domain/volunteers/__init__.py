"""The volunteer: registered, verified, claimed; her consents; here or departed."""
