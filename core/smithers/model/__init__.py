"""The nouns: frozen values and enums that every part speaks. No I/O, no SQL, no decisions."""
