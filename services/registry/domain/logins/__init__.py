"""The login of an outside identity provider, and the documents: to whom do they belong?"""
