"""Reference pictures: IP-Adapters with their image encoders, and models that take such pictures by themselves."""
