"""How do a neighbour's events become acts of this service, each once, in order, none lost?"""
