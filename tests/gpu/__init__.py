"""python -m tests.gpu: what only a card can show."""
