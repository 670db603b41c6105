"""Write a provider from an imported request or OAuth server.

Values that can't be secret by name, type or form stay in the draft as constants and are listed. All other
values become references, and are neither stored nor shown.
"""
