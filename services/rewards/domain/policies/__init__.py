"""The star policies that registry publishes, as this service keeps them."""
