"""Press Enter: navigation over the table of contents, nothing else."""

from widgets import book

book.open_page()
