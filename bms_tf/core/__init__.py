"""What every system shares. Knows no paper."""
