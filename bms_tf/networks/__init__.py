"""Networks and the layers they share."""
