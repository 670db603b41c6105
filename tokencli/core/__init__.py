"""What a user wants to do, one module each: get a token, log in, log out, inspect, export and so on."""
