"""What a page is built of: the table of contents, the chapter frame, and the live widgets.

Pages import widgets; widgets import microgpt; never the other way round.
"""
