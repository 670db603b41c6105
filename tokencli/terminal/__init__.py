"""The user interface: prompts, the browser and the redirect server."""
