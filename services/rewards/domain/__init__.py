"""What is true of stars: standings, applications, awards, and the policies behind them. Pure."""
