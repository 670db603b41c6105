"""JSON Web Tokens: decode and explain them without trust, verify them, sign them. No I/O."""
