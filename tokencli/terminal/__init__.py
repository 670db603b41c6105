"""The person at the terminal: prompts, the browser and the redirect server."""
