"""Pictures and archives changed by a seed, read as the service reads them."""
