"""What goes on inside: measurements on real models."""
