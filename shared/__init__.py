"""The language that all services share: a closed list of modules without a noun of the domain."""
