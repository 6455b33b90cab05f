"""What parts 1 and 2 play with: formulas, landscapes, and balls that roll down them."""
