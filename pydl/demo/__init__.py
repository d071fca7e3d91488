"""Small programs that show pydl at work: ``python -m pydl.demo digits``."""
